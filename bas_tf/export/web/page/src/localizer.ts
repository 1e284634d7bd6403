// An exported .tflite file, run by LiteRT.js.

import { type CompiledModel, loadAndCompile, loadLiteRt, supportsFeature, Tensor } from "@litertjs/core";
import type { LabelMap } from "./classes";
import { loadModel, type ModelFile } from "./site";
import { Trouble } from "./trouble";

export type Box = [number, number, number, number]; // x0, y0, x1, y1, half-open

export interface Found {
  /** Best first; none from a file that is reported the class. */
  classes: { id: number; score: number }[];
  /** In pixels of the network's input. */
  box: Box;
  /** The map says nothing; the box is the whole photo. */
  degenerate: boolean;
  /** That the map was cut at. */
  threshold: number;
  map: { values: number[]; width: number; height: number };
  /** Of the network's input; from a file that labels pixels. */
  segmentation?: LabelMap;
}

let runtime: Promise<unknown> | undefined;

/** A loaded file. One call at a time: what it computes with is the page's own thread. */
export class Localizer {
  private constructor(
    private readonly model: CompiledModel,
    private readonly file: ModelFile,
  ) {}

  /** @throws Trouble where the file or the runtime cannot be had. */
  static async load(file: ModelFile): Promise<Localizer> {
    const [bytes] = await Promise.all([loadModel(file), loadRuntime()]);
    try {
      const model = await loadAndCompile(bytes, { accelerator: "wasm" });
      return new Localizer(model, file);
    } catch (error) {
      throw new Trouble(`The model ${file.file} does not run in this browser (${error}).`);
    }
  }

  get width(): number {
    return this.file.document.inputs.images.width!;
  }

  get height(): number {
    return this.file.document.inputs.images.height!;
  }

  /** One run on a black photo: the first one takes several times as long. */
  async warmUp(): Promise<void> {
    await this.localize(new Uint8Array(this.height * this.width * 3));
  }

  /**
   * Names and boxes what a photo shows.
   *
   * @param pixels RGB [height, width, 3] of the network's size.
   * @param classId for a file that is reported the class.
   */
  async localize(pixels: Uint8Array<ArrayBuffer>, classId?: number): Promise<Found> {
    const inputs: Record<string, Tensor> = {
      images: new Tensor(pixels, [1, this.height, this.width, 3]),
    };
    if (classId !== undefined) {
      inputs.class_ids = new Tensor(Int32Array.of(classId), [1]);
    }
    let outputs: Record<string, Tensor> = {};
    try {
      outputs = await this.model.run(inputs);
      return await this.found(outputs);
    } finally {
      for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) {
        tensor.delete();
      }
    }
  }

  private async found(outputs: Record<string, Tensor>): Promise<Found> {
    const values = async (name: string) =>
      name in outputs ? Array.from(await outputs[name].data(), Number) : [];
    const scores = await values("scores");
    const { outputs: shapes, score_threshold: threshold } = this.file.document;
    const sized = <T>(name: string, values: T) => {
      const [, height, width] = shapes[name].shape;
      return { values, width, height };
    };
    const labels = await outputs.segmentation?.data();
    return {
      classes: (await values("class_ids")).map((id, i) => ({ id, score: scores[i] })),
      box: (await values("boxes")) as Box,
      degenerate: (await values("degenerate"))[0] !== 0,
      threshold,
      map: sized("localization_map", await values("localization_map")),
      segmentation: labels && sized("segmentation", labels),
    };
  }
}

/**
 * Several threads where the page is isolated, otherwise one.
 *
 * Of LiteRT.js's builds the page has two: with threads, for which the browser must have
 * relaxed SIMD too, and the one that runs everywhere.
 */
async function loadRuntime(): Promise<unknown> {
  const folder = new URL("wasm/", document.baseURI).href;
  const plain = `${folder}litert_wasm_compat_internal.js`;
  const threads = crossOriginIsolated && (await supportsFeature("relaxedSimd"));
  runtime ??= threads
    ? loadLiteRt(folder, { threads }).catch(() => loadLiteRt(plain))
    : loadLiteRt(plain);
  try {
    return await runtime;
  } catch (error) {
    runtime = undefined;
    throw new Trouble(
      `The runtime in ${folder} could not be loaded (${words(error)}). ` +
        "Reload the page; a browser of the last two years is needed.",
    );
  }
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : "it is missing";
}
