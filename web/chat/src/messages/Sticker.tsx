// A sticker. One of a pack that the app has not is told in words: a picture from anywhere would tell its server who reads.
import { stickerOf } from "./stickers.ts";

/** Draws one. */
export function Sticker({ pack, id, alt }: { readonly pack: string; readonly id: string; readonly alt: string }) {
  const known = stickerOf(pack, id);
  return (
    <svg className="sticker" viewBox="0 0 120 120" role="img" aria-label={alt}>
      <circle cx="60" cy="60" r="54" fill={`hsl(${known?.[2] ?? 250} 70% 88%)`} stroke={`hsl(${known?.[2] ?? 250} 60% 72%)`} strokeWidth="3" />
      {known ? (
        <text x="60" y="63" textAnchor="middle" dominantBaseline="middle" fontSize="60">
          {known[1]}
        </text>
      ) : (
        <text x="60" y="63" textAnchor="middle" dominantBaseline="middle" fontSize="15" fill="#333">
          {alt.slice(0, 14)}
        </text>
      )}
    </svg>
  );
}
