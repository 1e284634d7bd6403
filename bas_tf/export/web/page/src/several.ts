// Several classes in one photo, each with its box, its mask and a colour.

import { drawBox, finish, type Named, placeText, type Shown } from "./answer";
import type { FoundClass } from "./classes";
import { element, withText } from "./elements";
import type { Found } from "./localizer";

/**
 * Draws box and mask of every class and lists them.
 *
 * @param classes one at least, all with masks of one size.
 * @param best the model's best classes.
 * @returns the answer as a sentence.
 */
export function showSeveral(
  shown: Shown,
  found: Found,
  classes: FoundClass[],
  best: Named[],
): string {
  element("main").classList.add("several");
  drawMasks(classes);
  element("boxes").replaceChildren(...classes.map((each) => frameOf(each, shown)));
  element("found").replaceChildren(...classes.map(itemOf));
  const names = classes.map(({ name }) => name).join(", ");
  element("best").textContent = names;
  const where = classes.map((c) => `${c.name} ${areaText(c)}. ${placeText(c.box)}`);
  const said = [`${shown.name}: ${names}.`, where.join(" ")] as const;
  return finish(shown, found, best, said, "boxes are");
}

function drawMasks(classes: FoundClass[]): void {
  const canvas = element<HTMLCanvasElement>("heat");
  const { width, height } = classes[0].mask;
  canvas.width = width; // which clears it
  canvas.height = height;
  const context = canvas.getContext("2d")!;
  for (const { id, mask } of classes) {
    context.fillStyle = colour(id);
    for (const pixel of mask.pixels) {
      context.fillRect(pixel % width, Math.floor(pixel / width), 1, 1);
    }
  }
}

function frameOf({ id, name, box }: FoundClass, shown: Shown): HTMLElement {
  const frame = document.createElement("div");
  frame.className = "box";
  frame.style.setProperty("--box", colour(id));
  frame.append(withClass("tag", ""));
  drawBox(frame, box, shown, name);
  return frame;
}

function itemOf(found: FoundClass): HTMLElement {
  const item = document.createElement("li");
  item.style.setProperty("--box", colour(found.id));
  item.append(
    withText("span", found.name),
    withClass("score", areaText(found)),
    withClass("small", placeText(found.box)),
  );
  return item;
}

function withClass(className: string, text: string): HTMLElement {
  const made = withText("span", text);
  made.className = className;
  return made;
}

function areaText({ area }: FoundClass): string {
  return `${(100 * area).toFixed(1)} % of the photo`;
}

/** Light enough for dark text; successive classes are a golden angle apart. */
function colour(id: number): string {
  return `hsl(${(187 + 137.5 * id) % 360} 100% 72%)`;
}
