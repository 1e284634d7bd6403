// What `python -m export.web` says of the site in site.json.

import { Trouble } from "./trouble";

const FORMAT = "bas_tf page 1";
const REMEDY =
  "Reload the page; if that does not help, whoever runs this site can write it " +
  "again: python -m export.web.";

export interface TensorDocument {
  shape: number[];
  width?: number;
  height?: number;
}

/** A part of bas_tf.json, as `bas_tf.export.litert.metadata` writes it. */
export interface ModelDocument {
  name: string;
  bas_tf: string;
  class_names: string[];
  backbone: string;
  inputs: Record<string, TensorDocument>;
  outputs: Record<string, TensorDocument>;
  score_threshold: number;
  top_k: number;
  quantization: string;
  training: { seed: number; steps: number };
  figures: Record<string, string | number> | null;
  license: string;
}

export interface ModelFile {
  file: string;
  bytes: number;
  sha256: string;
  document: ModelDocument;
}

export interface Site {
  format: string;
  localizer: ModelFile;
  given_class: ModelFile | null;
  card: string | null;
}

/** @throws Trouble where the site was not written whole. */
export async function loadSite(): Promise<Site> {
  let site: Site;
  try {
    site = JSON.parse(new TextDecoder().decode(await fetched("site.json")));
  } catch (error) {
    if (error instanceof Trouble) throw error;
    throw new Trouble(`site.json is damaged. ${REMEDY}`);
  }
  if (site.format !== FORMAT) {
    throw new Trouble(`site.json is of another version than this page. ${REMEDY}`);
  }
  return site;
}

/**
 * A model's bytes, those that the site was written with.
 *
 * @throws Trouble where the file is missing, cut off or changed, as by a newer site.
 */
export async function loadModel(model: ModelFile): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await fetched(model.file);
  if (bytes.length !== model.bytes || (await sha256(bytes)) !== model.sha256) {
    throw new Trouble(
      `The model ${model.file} is damaged or of a newer site: it came as ` +
        `${bytes.length} bytes that are not the ${model.bytes} of this page. ${REMEDY}`,
    );
  }
  return bytes;
}

async function fetched(file: string): Promise<Uint8Array<ArrayBuffer>> {
  let response: Response;
  try {
    response = await fetch(file);
  } catch {
    throw new Trouble(`${file} could not be loaded: there is no connection to the site.`);
  }
  if (!response.ok) {
    throw new Trouble(`${file} is missing (${response.status}). ${REMEDY}`);
  }
  return new Uint8Array(await response.arrayBuffer());
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
