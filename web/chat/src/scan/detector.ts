// Reading QR codes with what the browser has for it. Where it has nothing,
// nothing is offered: a link can be pasted everywhere, and a decoder in
// JavaScript would be larger than the rest of a screen.

/** The part of the Shape Detection API that is used; TypeScript does not know it. */
interface Detector {
  detect(source: ImageBitmapSource): Promise<readonly { readonly rawValue: string }[]>;
}

interface DetectorClass {
  new (options: { readonly formats: readonly string[] }): Detector;
  getSupportedFormats(): Promise<readonly string[]>;
}

declare global {
  interface Window {
    readonly BarcodeDetector?: DetectorClass;
  }
}

/** Gives the text of a QR code in a picture; undefined when there is none in it. */
export type ReadCode = (picture: ImageBitmapSource) => Promise<string | undefined>;

/** What reads QR codes here; undefined where the browser can not. */
export async function codeReader(): Promise<ReadCode | undefined> {
  const Class = window.BarcodeDetector;
  // A browser may have the interface without the formats: they come with the system.
  const formats = await Class?.getSupportedFormats().catch(() => undefined);
  if (!Class || !formats?.includes("qr_code")) return undefined;
  const detector = new Class({ formats: ["qr_code"] });
  return async (picture) => (await detector.detect(picture))[0]?.rawValue;
}
