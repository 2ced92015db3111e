// How far something has come, as a ring.
interface RingProps {
  /** 0 to 100; undefined: it has begun, and nothing is known. */
  readonly percent: number | undefined;
  readonly label: string;
  /** CSS pixels. */
  readonly size?: number;
}

const radius = 20;
const round = 2 * Math.PI * radius;

/** Draws it, with the percentage inside. */
export function Ring({ percent, label, size = 48 }: RingProps) {
  return (
    <span
      className="ring"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      data-turning={percent === undefined}
      style={{ width: size, height: size }}
    >
      <svg viewBox="0 0 48 48" width={size} height={size} aria-hidden="true">
        <circle className="ring-ground" cx={24} cy={24} r={radius} />
        <circle className="ring-part" cx={24} cy={24} r={radius} strokeDasharray={round} strokeDashoffset={round * (1 - (percent ?? 25) / 100)} />
      </svg>
      {percent === undefined ? null : <span className="ring-text">{percent}%</span>}
    </span>
  );
}
