// People in front of their cameras, drawn by themselves, as films that Chromium
// takes for a camera (--use-file-for-fake-video-capture).
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";

/** What somebody looks like: CSS colours. */
export interface Looks {
  readonly wall: string;
  readonly furniture: string;
  readonly shirt: string;
  readonly skin: string;
  readonly hair: string;
  readonly long: boolean;
  readonly glasses: boolean;
}

const [width, height, count, rate] = [960, 540, 12, 10];

/** Draws the frames in a page and writes the film. */
export async function portrait(page: Page, looks: Looks): Promise<string> {
  const frames = await page.evaluate(
    ({ looks: { wall, furniture, shirt, skin, hair, long, glasses }, width, height, count }) => {
      const canvas = new OffscreenCanvas(width, height);
      const context = canvas.getContext("2d", { willReadFrequently: true });
      if (!context) throw new Error("no canvas");
      const oval = (x: number, y: number, rx: number, ry: number, fill: string | CanvasGradient) => {
        context.fillStyle = fill;
        context.beginPath();
        context.ellipse(x, y, rx, ry, 0, 0, 2 * Math.PI);
        context.fill();
      };
      const box = (x: number, y: number, w: number, h: number, r: number, fill: string | CanvasGradient) => {
        context.fillStyle = fill;
        context.beginPath();
        context.roundRect(x, y, w, h, r);
        context.fill();
      };
      const line = (draw: () => void, style: string, width: number) => {
        context.strokeStyle = style;
        context.lineWidth = width;
        context.lineCap = "round";
        context.beginPath();
        draw();
        context.stroke();
      };
      const room = () => {
        const light = context.createLinearGradient(0, 0, width, height);
        light.addColorStop(0, "rgb(255 255 255 / 30%)");
        light.addColorStop(1, "rgb(0 0 0 / 22%)");
        context.fillStyle = wall;
        context.fillRect(0, 0, width, height);
        box(90, 70, 190, 150, 6, furniture);
        box(100, 80, 170, 130, 4, "rgb(255 255 255 / 55%)");
        box(700, 250, 210, 14, 4, furniture);
        for (const [i, h] of [70, 96, 82, 60, 90].entries()) box(716 + i * 36, 250 - h, 26, h, 3, i % 2 ? shirt : furniture);
        context.fillStyle = light;
        context.fillRect(0, 0, width, height);
      };
      const person = (sway: number, mouth: number) => {
        const x = 480 + sway;
        if (long) {
          oval(x, 250, 128, 150, hair);
          box(x - 124, 240, 248, 210, 70, hair);
        }
        oval(x - sway * 0.5, 590, 260, 190, shirt);
        box(x - 46, 330, 92, 110, 40, skin);
        oval(x, 262, 98, 124, skin);
        context.save();
        context.beginPath();
        context.ellipse(x, 262, 104, 132, 0, 0, 2 * Math.PI);
        context.clip();
        oval(x - 30, 138, 150, 76, hair);
        oval(x + 90, 170, 60, 70, hair);
        context.restore();
        for (const side of [-1, 1]) {
          oval(x + side * 38, 262, 7, 9, "#221d26");
          line(() => context.arc(x + side * 38, 246, 20, Math.PI * 1.2, Math.PI * 1.8), hair, 6);
          oval(x + side * 62, 304, 18, 11, "rgb(220 90 90 / 22%)");
          if (glasses) line(() => context.roundRect(x + side * 38 - 27, 242, 54, 40, 16), "#2b2734", 5);
        }
        if (glasses) line(() => (context.moveTo(x - 11, 258), context.lineTo(x + 11, 258)), "#2b2734", 5);
        line(() => (context.moveTo(x, 272), context.quadraticCurveTo(x + 12, 294, x - 2, 296)), "rgb(0 0 0 / 22%)", 4);
        context.fillStyle = "#8c3440";
        context.beginPath();
        context.ellipse(x, 326, 30, 6 + mouth, 0, 0, Math.PI);
        context.fill();
      };
      const out: string[] = [];
      for (let i = 0; i < count; i++) {
        const turn = (i / count) * 2 * Math.PI;
        room();
        person(6 * Math.sin(turn), 6 + 5 * Math.sin(3 * turn));
        const { data } = context.getImageData(0, 0, width, height);
        const yuv = new Uint8Array((width * height * 3) / 2);
        let at = width * height;
        for (let p = 0; p < width * height; p++) {
          const [r = 0, g = 0, b = 0] = data.subarray(p * 4, p * 4 + 3);
          yuv[p] = 16 + 0.257 * r + 0.504 * g + 0.098 * b;
        }
        for (const [cr, cg, cb] of [[-0.148, -0.291, 0.439], [0.439, -0.368, -0.071]] as const) {
          for (let y = 0; y < height; y += 2) {
            for (let x = 0; x < width; x += 2) {
              const p = (y * width + x) * 4;
              yuv[at++] = 128 + cr * (data[p] ?? 0) + cg * (data[p + 1] ?? 0) + cb * (data[p + 2] ?? 0);
            }
          }
        }
        let binary = "";
        for (let k = 0; k < yuv.length; k += 8192) binary += String.fromCharCode(...yuv.subarray(k, k + 8192));
        out.push(btoa(binary));
      }
      return out;
    },
    { looks, width, height, count },
  );
  const file = join(await mkdtemp(join(tmpdir(), "skein-portrait-")), "portrait.y4m");
  const head = Buffer.from(`YUV4MPEG2 W${width} H${height} F${rate}:1 Ip A1:1 C420jpeg\n`);
  await writeFile(file, Buffer.concat([head, ...frames.flatMap((frame) => [Buffer.from("FRAME\n"), Buffer.from(frame, "base64")])]));
  return file;
}

/** Four people. */
export const four: readonly Looks[] = [
  { wall: "#d9d3ea", furniture: "#8e84b8", shirt: "#4a43c9", skin: "#f0c6a6", hair: "#4b2e22", long: true, glasses: false },
  { wall: "#cfe3df", furniture: "#6c9a92", shirt: "#d9783f", skin: "#c98d63", hair: "#1f1a1e", long: false, glasses: true },
  { wall: "#f3e2cd", furniture: "#c39a6b", shirt: "#2f7d6d", skin: "#f3d2b8", hair: "#b9582e", long: true, glasses: true },
  { wall: "#d3def0", furniture: "#7b93bf", shirt: "#a8425f", skin: "#e6b48e", hair: "#15131a", long: false, glasses: false },
];
