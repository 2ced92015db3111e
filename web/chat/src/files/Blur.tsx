// What is seen of a picture until it is there: its blur hash on a small
// canvas, which the browser stretches.
import { memo, useLayoutEffect, useRef } from "react";
import { decodeBlurHash, hashOf } from "./blurhash.ts";

const side = 24;

/** Fills the box around it. */
export const Blur = memo(function Blur({ thumb }: { thumb: Uint8Array | undefined }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const hash = hashOf(thumb);
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    const pixels = hash === undefined ? undefined : decodeBlurHash(hash, side, side);
    if (context && pixels) context.putImageData(new ImageData(pixels, side, side), 0, 0);
  }, [hash]);
  return hash === undefined ? null : <canvas ref={canvas} className="blur" width={side} height={side} aria-hidden="true" />;
});
