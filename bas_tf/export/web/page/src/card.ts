// What the model's own document says, for people.

import { element, withText } from "./elements";
import type { ModelDocument, ModelFile, Site } from "./site";

const FIGURES: [string, string][] = [
  ["top1_acc", "right class"],
  ["predicted_map_loc", "right box"],
  ["top1_loc", "both right"],
];

/** Fills the header's line and the card. */
export function showCard(site: Site): void {
  const { document: model } = site.localizer;
  const draws =
    "segmentation" in model.outputs
      ? "all that a photo shows and draws a box around each: any of"
      : "what a photo shows and draws the box around it: one of";
  element("about").textContent = `Names ${draws} ${model.class_names.length} classes.`;
  const facts = element("facts");
  for (const [term, fact] of factsOf(model, site.localizer)) {
    facts.append(withText("dt", term), withText("dd", fact));
  }
  if (site.card) {
    const link = withText("a", "The whole model card") as HTMLAnchorElement;
    link.href = site.card;
    element("more").append(link, ": intended use, limits, ethics, licence.");
  }
  element("card").hidden = false;
}

function factsOf(model: ModelDocument, file: ModelFile): [string, string][] {
  const { width, height } = model.inputs.images;
  const { steps, seed } = model.training;
  return [
    ["Name", model.name],
    ["Classes", model.class_names.join(", ")],
    ["Network", `${model.backbone}, sees ${width} × ${height} pixels`],
    ["File", `${file.file}, ${megabytes(file.bytes)}, quantization ${model.quantization}`],
    ["Training", `${steps} steps, seed ${seed}, bas_tf ${model.bas_tf}`],
    ["Box", `of the map scaled to 0…1 and cut at ${model.score_threshold}`],
    ["Evaluated", evaluated(model.figures)],
    ["Licence", model.license],
  ];
}

function evaluated(figures: ModelDocument["figures"]): string {
  if (!figures) return "Nobody has measured how often it is right.";
  const shares = FIGURES.filter(([key]) => key in figures).map(
    ([key, meaning]) => `${meaning} ${(100 * Number(figures[key])).toFixed(1)} %`,
  );
  return (
    `${shares.join(", ")} of ${figures.num_images} images of split ${figures.split} ` +
    `(${figures.of})`
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
