// From a file to the pixels that the network sees.

import { type ReadPixels, resize } from "./resize";
import { Trouble } from "./trouble";

const MOST_PIXELS = 80_000_000; // as in bas_tf.data.decode
const FORMATS = "JPEG, PNG or WebP";

/** A decoded photo, upright. `close` it: its pixels are freed by hand. */
export class Photo {
  constructor(
    readonly bitmap: ImageBitmap,
    readonly name: string,
  ) {}

  get width(): number {
    return this.bitmap.width;
  }

  get height(): number {
    return this.bitmap.height;
  }

  /** RGB [height, width, 3]: the whole photo, aspect not kept, transparency on white. */
  resized(width: number, height: number): Uint8Array<ArrayBuffer> {
    const canvas = document.createElement("canvas");
    const context = canvas.getContext("2d", { willReadFrequently: true })!;
    const read: ReadPixels = (left, top, readWidth, readHeight) => {
      canvas.width = readWidth;
      canvas.height = readHeight;
      context.fillStyle = "white";
      context.fillRect(0, 0, readWidth, readHeight);
      context.drawImage(this.bitmap, -left, -top);
      return context.getImageData(0, 0, readWidth, readHeight).data;
    };
    return resize(read, this.width, this.height, width, height);
  }

  close(): void {
    this.bitmap.close();
  }
}

/**
 * Decodes a photo: EXIF rotation applied, colour profile ignored, as the training does.
 *
 * @throws Trouble where it is no photo that this browser reads.
 */
export async function openPhoto(file: Blob, name: string): Promise<Photo> {
  if (file.size === 0) {
    throw new Trouble(`${name} is empty (0 bytes). Choose a photo: ${FORMATS}.`);
  }
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file, {
      imageOrientation: "from-image",
      colorSpaceConversion: "none",
    });
  } catch {
    throw new Trouble(await whyUnreadable(file, name));
  }
  if (bitmap.width * bitmap.height > MOST_PIXELS) {
    const { width, height } = bitmap;
    bitmap.close();
    throw new Trouble(
      `${name} has ${width} × ${height} pixels, more than the ` +
        `${MOST_PIXELS / 1e6} million that are read. Scale it down.`,
    );
  }
  return new Photo(bitmap, name);
}

async function whyUnreadable(file: Blob, name: string): Promise<string> {
  const beginning = await file.slice(0, 12).arrayBuffer().catch(() => undefined);
  if (!beginning) return `${name} cannot be read. Choose a photo: ${FORMATS}.`;
  const text = String.fromCharCode(...new Uint8Array(beginning));
  if (text.startsWith("%PDF")) {
    return `${name} is a PDF, not a photo. Save its page as ${FORMATS}.`;
  }
  if (text.slice(4, 8) === "ftyp") {
    return `${name} is a HEIC photo or a video. Save it as ${FORMATS}.`;
  }
  return `${name} is damaged, or not a photo that this browser reads. Choose ${FORMATS}.`;
}
