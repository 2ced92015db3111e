// Pictures, films and files for tests, made by themselves.
import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";
import type { Page } from "playwright-core";

/** A file as an input takes it. */
export interface TestFile {
  readonly name: string;
  readonly mimeType: string;
  readonly buffer: Buffer;
}

const crcTable = Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

function crc(bytes: Buffer): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = (crcTable[(c ^ byte) & 255] ?? 0) ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc(body), body.length + 4);
  return out;
}

/** A landscape of some colours as PNG: a sky, a sun, hills. */
export function picture(name: string, width: number, height: number, hue: number): TestFile {
  const rows = Buffer.alloc((width * 3 + 1) * height);
  const colour = (h: number, light: number): readonly [number, number, number] => {
    const of = (n: number) => {
      const k = (n + h / 30) % 12;
      return Math.round(255 * (light - 0.5 * Math.min(light, 1 - light) * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
    };
    return [of(0), of(8), of(4)];
  };
  const sky = Array.from({ length: height }, (_, y) => colour(hue, 0.45 + (0.4 * y) / height));
  const ground = [colour(hue + 60, 0.4), colour(hue + 80, 0.3)] as const;
  for (let y = 0; y < height; y++) {
    const row = y * (width * 3 + 1);
    for (let x = 0; x < width; x++) {
      const hill = height * (0.65 + 0.08 * Math.sin((x / width) * 9));
      const near = height * (0.8 + 0.07 * Math.cos((x / width) * 6));
      const sun = Math.hypot(x - width * 0.7, y - height * 0.3) < Math.min(width, height) * 0.12;
      const [r, g, b] = y > near ? ground[1] : y > hill ? ground[0] : sun ? [255, 240, 200] : (sky[y] ?? [0, 0, 0]);
      rows[row + 1 + x * 3] = r ?? 0;
      rows[row + 2 + x * 3] = g ?? 0;
      rows[row + 3 + x * 3] = b ?? 0;
    }
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const buffer = Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), chunk("IHDR", head), chunk("IDAT", deflateSync(rows, { level: 1 })), chunk("IEND", Buffer.alloc(0))]);
  return { name, mimeType: "image/png", buffer };
}

/** Bytes that nothing can make smaller, the same each time. */
export function noise(name: string, size: number, mimeType = "application/octet-stream"): TestFile {
  const buffer = Buffer.alloc(size);
  let block = createHash("sha512").update(name).digest();
  for (let at = 0; at < size; at += 64) {
    block.copy(buffer, at);
    if (at % 65_536 === 0) block = createHash("sha512").update(block).digest();
  }
  return { name, mimeType, buffer };
}

/** What a hash of some bytes is. */
export function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A film that the browser itself records: a square that walks, some seconds long. */
export async function film(page: Page, name: string, seconds: number, width = 640, height = 360): Promise<TestFile> {
  const base64 = await page.evaluate(
    async ({ seconds, width, height }) => {
      const canvas = document.createElement("canvas");
      canvas.width = width;
      canvas.height = height;
      const context = canvas.getContext("2d");
      if (!context) throw new Error("no canvas");
      const stream = canvas.captureStream(25);
      const recorder = new MediaRecorder(stream, { mimeType: "video/webm;codecs=vp8", videoBitsPerSecond: 2_000_000 });
      const chunks: Blob[] = [];
      recorder.ondataavailable = (event) => chunks.push(event.data);
      const ended = new Promise((resolve) => (recorder.onstop = resolve));
      recorder.start();
      const begun = performance.now();
      await new Promise<void>((resolve) => {
        const draw = () => {
          const part = (performance.now() - begun) / (seconds * 1000);
          if (part >= 1) {
            resolve();
            return;
          }
          context.fillStyle = `hsl(${200 + part * 120} 60% 40%)`;
          context.fillRect(0, 0, width, height);
          context.fillStyle = "#ffe9b0";
          context.fillRect(part * (width - 90), height / 2 - 45, 90, 90);
          // Something that does not compress, or the whole film is read at once.
          for (let i = 0; i < 900; i++) {
            context.fillStyle = `hsl(${Math.random() * 360} 50% 50%)`;
            context.fillRect(Math.random() * width, Math.random() * height, 7, 7);
          }
          setTimeout(draw, 40);
        };
        draw();
      });
      recorder.stop();
      await ended;
      const bytes = new Uint8Array(await new Blob(chunks).arrayBuffer());
      let binary = "";
      for (let i = 0; i < bytes.length; i += 8192) binary += String.fromCharCode(...bytes.subarray(i, i + 8192));
      return btoa(binary);
    },
    { seconds, width, height },
  );
  return { name, mimeType: "video/webm", buffer: Buffer.from(base64, "base64") };
}

/** Drags files over an element; `drop` lets them go there. */
export async function drag(page: Page, selector: string, files: readonly TestFile[]): Promise<{ drop(): Promise<void> }> {
  const data = await page.evaluateHandle(
    (all) => {
      const transfer = new DataTransfer();
      for (const { name, type, base64 } of all) transfer.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type }));
      return transfer;
    },
    files.map(({ name, mimeType, buffer }) => ({ name, type: mimeType, base64: buffer.toString("base64") })),
  );
  await page.dispatchEvent(selector, "dragenter", { dataTransfer: data });
  await page.dispatchEvent(selector, "dragover", { dataTransfer: data });
  return {
    drop: async () => {
      await page.dispatchEvent(selector, "drop", { dataTransfer: data });
      await data.dispose();
    },
  };
}

/** Pastes files where the focus is, as Ctrl V does. */
export async function paste(page: Page, selector: string, file: TestFile): Promise<void> {
  await page.locator(selector).evaluate(
    (element, { name, type, base64 }) => {
      const clipboardData = new DataTransfer();
      clipboardData.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type }));
      element.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
    },
    { name: file.name, type: file.mimeType, base64: file.buffer.toString("base64") },
  );
}
