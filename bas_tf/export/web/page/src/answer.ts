// A photo and what was found in it, on the page.

import {
  confidence,
  FOUND_CONFIDENCE,
  isFound,
  NO_OBJECT,
  objectScore,
} from "./confidence";
import { element, withText } from "./elements";
import { heatColours } from "./heat";
import type { Box, Found } from "./localizer";
import type { Photo } from "./photo";
import { scoreText } from "./score";

const LONGEST_SIDE = 1600; // of the photo as it is kept for showing

/** What was looked at: the photo's name and size stay when its pixels are freed. */
export interface Shown {
  name: string;
  width: number;
  height: number;
}

/** A class and its score in [0, 1]. */
export interface Named {
  name: string;
  score: number;
}

/** Puts a photo on the page, without an answer yet. */
export function showPhoto(photo: Photo): void {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(photo.width, photo.height));
  const canvas = element<HTMLCanvasElement>("photo");
  canvas.width = Math.max(1, Math.round(photo.width * scale));
  canvas.height = Math.max(1, Math.round(photo.height * scale));
  const context = canvas.getContext("2d")!;
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(photo.bitmap, 0, 0, canvas.width, canvas.height);
  // The style sheet gives it the column's width, or less for a tall one.
  element("picture").style.setProperty("--aspect", `${canvas.width / canvas.height}`);
  element("empty").hidden = true;
  element("figure").hidden = false;
}

/** Takes photo and answer off the page. */
export function showNothing(): void {
  element("caption").textContent = "";
  element("figure").hidden = true;
  element("result").hidden = true;
  element("empty").hidden = false;
}

/** Scales a box from the network's input to the photo, clipped to it. */
export function boxInPhoto(box: Box, width: number, height: number, shown: Shown): Box {
  const x = shown.width / width;
  const y = shown.height / height;
  const within = (value: number, end: number) => Math.min(Math.max(value, 0), end);
  return [
    within(box[0] * x, shown.width),
    within(box[1] * y, shown.height),
    within(box[2] * x, shown.width),
    within(box[3] * y, shown.height),
  ];
}

/**
 * Draws box and heat and writes the answer.
 *
 * @param box in pixels of the photo.
 * @param title the class that the box is of.
 * @param classes the model's best, the first its own choice, whatever was asked for.
 * @param asked whether the class was asked for.
 * @returns the answer as a sentence.
 */
export function showAnswer(
  shown: Shown,
  found: Found,
  box: Box,
  title: string,
  classes: Named[],
  asked: boolean,
): string {
  const [best] = classes;
  element("main").classList.remove("several");
  drawHeat(found.map);
  const label = `${title}${asked ? "?" : ` ${scoreText(best.score, 2)}`}`;
  drawBox(element("box"), box, shown, label);
  element("best").textContent = title;
  const choice = `the model says ${title === best.name ? "so too" : best.name}`;
  element("score").textContent = asked
    ? `where it would be; ${choice}`
    : `score ${scoreText(best.score, 3)}`;
  const place = found.degenerate
    ? "Nothing stands out: the box is the whole photo."
    : placeText(box);
  element("place").textContent = place;
  const sentence = asked
    ? `Where the ${title} would be in ${shown.name}; ${choice}.`
    : `${shown.name}: ${title}, score ${scoreText(best.score, 2)}.`;
  return finish(shown, found, classes, [sentence, place], "box is");
}

/** Where a box is, as a sentence. */
export function placeText(box: Box): string {
  const [left, top, right, bottom] = box.map((value) => value.toFixed(1));
  return `Box from ${left}, ${top} to ${right}, ${bottom}.`;
}

/**
 * Writes what every answer has, and how far its boxes can be trusted.
 *
 * @param classes the model's best, the first its own choice.
 * @returns the answer: what is there, the confidence, and where it is.
 */
export function finish(
  shown: Shown,
  found: Found,
  classes: Named[],
  [what, where]: readonly [string, string],
  boxesAre: string,
): string {
  const size = `${shown.width} × ${shown.height} pixels`;
  element("caption").textContent = `${shown.name}, ${size}`;
  const [{ name }] = classes;
  const trust = confidence(objectScore(classes), found.map, found.threshold);
  const trusted = trustText(name, trust, boxesAre);
  for (const box of document.querySelectorAll(".box")) {
    box.classList.toggle("unsure", !isFound(name, trust));
  }
  element("confidence").textContent = trusted;
  element("result").hidden = false;
  const answer = `${what} ${trusted} ${where}`;
  element("picture").setAttribute("aria-label", answer);
  return answer;
}

function trustText(name: string, trust: number, boxesAre: string): string {
  const text = scoreText(trust, 3);
  if (isFound(name, trust)) return `Confidence ${text}.`;
  const low = `confidence ${text} is below ${FOUND_CONFIDENCE}`;
  const why = name === NO_OBJECT ? `the model says ${name}, no object` : low;
  return `Nothing found: ${why}. The dashed ${boxesAre} a guess.`;
}

/** The best classes with their scores, as bars. */
export function showClasses(classes: Named[]): void {
  element("classes").replaceChildren(
    ...classes.map(({ name, score }) => {
      const item = document.createElement("li");
      const bar = document.createElement("span");
      bar.className = "bar";
      bar.style.width = `${100 * score}%`;
      const number = withText("span", scoreText(score, 3));
      number.className = "score";
      item.append(bar, withText("span", name), number);
      return item;
    }),
  );
}

function drawHeat(map: Found["map"]): void {
  const canvas = element<HTMLCanvasElement>("heat");
  canvas.width = map.width; // the browser scales it, bilinearly
  canvas.height = map.height;
  const colours = heatColours(map.values, map.width, map.height);
  canvas.getContext("2d")!.putImageData(colours, 0, 0);
}

/** Puts a frame where the box is, and a label on its tag. */
export function drawBox(
  frame: HTMLElement,
  box: Box,
  shown: Shown,
  label: string,
): void {
  const [left, top, right, bottom] = box;
  const percent = (part: number, whole: number) => `${(100 * part) / whole}%`;
  frame.style.left = percent(left, shown.width);
  frame.style.top = percent(top, shown.height);
  frame.style.width = percent(right - left, shown.width);
  frame.style.height = percent(bottom - top, shown.height);
  frame.classList.toggle("high", top < 0.1 * shown.height); // the label goes inside
  frame.classList.toggle("late", left > 0.5 * shown.width); // and ends with the box
  frame.querySelector(".tag")!.textContent = label;
}
