"use strict";
const element = (id) => document.getElementById(id);
const {photos, classes, folder} = JSON.parse(element("data").textContent);
const stage = element("stage"), picture = element("picture"), labels = element("label");
const KEPT = `bas_tf review ${location.pathname} `;
const ALL_SIDES = [0, 1, 2, 3]; // left, top, right, bottom: places in a box
const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
let current = 0, selected = 0, boxes = [], drag = null, unkept = "";

const clamp = (value, low, high) => Math.max(low, Math.min(value, high));
const began = (photo) => JSON.stringify(photo.objects);
const say = (problem) => { element("problem").textContent = problem; };

const unreviewed = (photo) =>
  ({began: began(photo), verdict: "", objects: structuredClone(photo.objects)});

// The review of a photo; what was kept of other predictions does not count.
function restored(photo) {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT + photo.name));
    if (kept?.began === began(photo)) return kept;
  } catch { /* nothing is kept here, which `keep` reports */ }
  return unreviewed(photo);
}
const reviews = photos.map(restored);

function keep() {
  try {
    localStorage.setItem(KEPT + photos[current].name, JSON.stringify(reviews[current]));
  } catch {
    unkept = "This browser cannot keep your decisions: save them before you close the page.";
    say(unkept);
  }
}

function show(index, said = "") {
  const photo = photos[current = index], hadFocus = boxes.includes(document.activeElement);
  selected = 0;
  drag = null;
  say(unkept);
  stage.style.setProperty("--ratio", photo.width / photo.height);
  picture.style.visibility = "hidden"; // the photo before it, until this one is loaded
  picture.alt = photo.name;
  picture.src = photo.address;
  boxes.forEach((box) => box.remove());
  boxes = photo.objects.map((_, i) => {
    const box = Object.assign(document.createElement("button"), {type: "button", className: "box"});
    box.addEventListener("focus", () => { selected = i; update(); });
    return box;
  });
  stage.append(...boxes);
  if (hadFocus) boxes[0]?.focus();
  update(said);
  if (index + 1 < photos.length) new Image().src = photos[index + 1].address;
}

function update(said = "") {
  const {name, width, height} = photos[current], {verdict, objects} = reviews[current];
  const numDone = reviews.filter((review) => review.verdict).length;
  stage.dataset.verdict = verdict;
  objects.forEach(({label, box: [x0, y0, x1, y1]}, i) => {
    const percent = (part, whole) => `${100 * part / whole}%`;
    Object.assign(boxes[i].style, {
      left: percent(x0, width), top: percent(y0, height),
      width: percent(x1 - x0, width), height: percent(y1 - y0, height),
    });
    boxes[i].ariaPressed = String(i === selected);
    boxes[i].ariaLabel = `Box ${i + 1} of ${objects.length}: ${label}`;
  });
  const found = objects[selected];
  labels.disabled = !found;
  labels.selectedIndex = found ? classes.indexOf(found.label) : -1;
  element("place").textContent = found ? described(found) : "No box";
  element("done").value = numDone;
  const end = numDone === photos.length ? " All are reviewed: save the boxes." : "";
  element("state").textContent =
    `${said}Photo ${current + 1} of ${photos.length}, ${name}: ${verdict || "not reviewed"}. ` +
    `${numDone} reviewed.${end}`;
}

function described({label, box, confidence, degenerate}) {
  const [x0, y0, x1, y1] = box.map((value) => Math.round(value));
  const scored = confidence === null ? "" : `, confidence ${confidence.toFixed(2)}`;
  const lost = degenerate ? "; nothing was found, the box began as the whole photo" : "";
  return `${label}${scored}; x ${x0} to ${x1}, y ${y0} to ${y1}${lost}`;
}

function decide(verdict) {
  reviews[current].verdict = verdict;
  keep();
  const order = photos.map((_, i) => (current + 1 + i) % photos.length);
  const next = order.find((i) => !reviews[i].verdict) ?? current;
  show(next, next === current ? "" : `${photos[current].name} ${verdict}. `);
}

function reset() {
  reviews[current] = unreviewed(photos[current]);
  keep();
  update("Reset. ");
}

function choose(index) {
  const found = reviews[current].objects[selected];
  if (!found || index >= classes.length) return;
  found.label = classes[index];
  keep();
  update();
}

// A box whose given sides went by dx and dy, in whole pixels within the photo.
function moved(box, sides, dx, dy) {
  const {width, height} = photos[current], result = [...box];
  for (const [low, high, by, end] of [[0, 2, dx, width], [1, 3, dy, height]]) {
    const length = box[high] - box[low];
    if (!by) continue;
    if (sides.includes(low) && sides.includes(high)) {
      result[low] = clamp(Math.round(box[low] + by), 0, end - length);
      result[high] = result[low] + length;
    } else if (sides.includes(low)) {
      result[low] = clamp(Math.round(box[low] + by), 0, box[high] - 1);
    } else if (sides.includes(high)) {
      result[high] = clamp(Math.round(box[high] + by), box[low] + 1, end);
    }
  }
  return result;
}

function drawn([x, y], [u, v]) {
  const {width, height} = photos[current];
  const inside = (value, end) => clamp(Math.round(value), 0, end);
  return [inside(Math.min(x, u), width - 1), inside(Math.min(y, v), height - 1),
    inside(Math.max(x, u, 1), width), inside(Math.max(y, v, 1), height)];
}

// The sides that a pointer holds; null outside of the box, or within the whole photo.
function heldSides([x0, y0, x1, y1], [x, y], reach) {
  if (x < x0 - reach || x > x1 + reach || y < y0 - reach || y > y1 + reach) return null;
  const near = (value, low, high, sides) => {
    const [toLow, toHigh] = [Math.abs(value - low), Math.abs(value - high)];
    return Math.min(toLow, toHigh) > reach ? [] : [sides[toLow < toHigh ? 0 : 1]];
  };
  const held = [...near(x, x0, x1, [0, 2]), ...near(y, y0, y1, [1, 3])];
  const {width, height} = photos[current];
  const canMove = x1 - x0 < width || y1 - y0 < height;
  return held.length ? held : canMove ? ALL_SIDES : null;
}

// Where a pointer is, in pixels of the photo, and what it holds there.
function pointed(event) {
  const shown = stage.getBoundingClientRect(), scale = photos[current].width / shown.width;
  const at = [(event.clientX - shown.left) * scale, (event.clientY - shown.top) * scale];
  const reach = (event.pointerType === "mouse" ? 8 : 20) * scale;
  const held = reviews[current].objects.map(({box}) => heldSides(box, at, reach));
  const index = held[selected] ? selected : held.findIndex(Boolean);
  return {at, reach, index, sides: held[index] ?? null};
}

stage.addEventListener("mousedown", (event) => event.preventDefault()); // keeps the focus
stage.addEventListener("pointerdown", (event) => {
  if (event.button || !boxes.length) return;
  const {at, reach, index, sides} = pointed(event);
  boxes[index < 0 ? selected : index].focus({preventScroll: true});
  drag = {at, reach, sides, box: reviews[current].objects[selected].box};
  stage.setPointerCapture(event.pointerId);
});
stage.addEventListener("pointermove", (event) => {
  const {at, sides} = pointed(event);
  if (!drag) {
    const key = [...(sides ?? [])].sort().join("");
    stage.style.cursor = {"": "crosshair", "0123": "move", "0": "ew-resize", "2": "ew-resize",
      "1": "ns-resize", "3": "ns-resize", "01": "nwse-resize", "23": "nwse-resize"}[key] ?? "nesw-resize";
    return;
  }
  const [dx, dy] = [at[0] - drag.at[0], at[1] - drag.at[1]];
  const isShort = Math.abs(dx) < drag.reach && Math.abs(dy) < drag.reach;
  if (!drag.sides && isShort) return; // a click draws nothing
  reviews[current].objects[selected].box =
    drag.sides ? moved(drag.box, drag.sides, dx, dy) : drawn(drag.at, at);
  update();
});
stage.addEventListener("pointerup", () => {
  if (drag) keep();
  drag = null;
});
stage.addEventListener("pointercancel", () => {
  if (drag) reviews[current].objects[selected].box = drag.box;
  drag = null;
  update();
});

picture.addEventListener("load", () => {
  const {name, width, height} = photos[current];
  const [shownWidth, shownHeight] = [picture.naturalWidth, picture.naturalHeight];
  picture.style.visibility = "";
  if (Math.abs(shownWidth * height / (shownHeight * width) - 1) > 0.02) {
    say(`${name}: the boxes are of ${width} × ${height} pixels, shown are ` +
      `${shownWidth} × ${shownHeight}: another photo, or not turned as it should be.`);
  }
});
picture.addEventListener("error", () => {
  say(`${photos[current].name} cannot be shown: the page and the photos must stay where ` +
    "they were, and the browser must know the format.");
});

// The reviewed photos as COCO's instances: accepted ones with their boxes.
function corrections() {
  const reviewed = photos
    .map((photo, i) => ({...reviews[i], photo}))
    .filter(({verdict}) => verdict)
    .sort((a, b) => a.photo.id - b.photo.id);
  const hundredths = (value) => Math.round(100 * value) / 100;
  const annotations = reviewed
    .filter(({verdict}) => verdict === "accepted")
    .flatMap(({photo, objects}) => objects.map(({label, box: [x0, y0, x1, y1]}) => {
      const [width, height] = [hundredths(x1 - x0), hundredths(y1 - y0)];
      return {
        image_id: photo.id, category_id: classes.indexOf(label) + 1,
        bbox: [hundredths(x0), hundredths(y0), width, height],
        area: hundredths(width * height), segmentation: [], iscrowd: 0,
      };
    }));
  return {
    info: {folder},
    categories: classes.map((name, i) => ({id: i + 1, name, supercategory: ""})),
    images: reviewed.map(({photo: {id, name, width, height}}) =>
      ({id, file_name: name, width, height})),
    annotations: annotations.map((entry, i) => ({id: i + 1, ...entry})),
  };
}

function save() {
  const content = new Blob([JSON.stringify(corrections(), null, 1)], {type: "application/json"});
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = "boxes.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function step(by) {
  show(clamp(current + by, 0, photos.length - 1));
}

const ACTIONS = {
  accept: () => decide("accepted"), reject: () => decide("rejected"),
  previous: () => step(-1), next: () => step(1), reset, save,
};
const KEYS = {
  a: ACTIONS.accept, enter: ACTIONS.accept, x: ACTIONS.reject, r: reset, s: save,
  arrowleft: ACTIONS.previous, arrowright: ACTIONS.next, c: () => labels.focus(),
};
for (const [id, action] of Object.entries(ACTIONS)) {
  element(id).addEventListener("click", action);
}
labels.addEventListener("change", () => choose(labels.selectedIndex));

// What a key does; null where it is the browser's.
function actionOf(event) {
  const {key, target, shiftKey, altKey, repeat} = event, arrow = ARROWS[key];
  if (event.ctrlKey || event.metaKey) return null;
  if (target === labels) return key === "Escape" ? () => boxes[selected]?.focus() : null;
  if (key === "Enter" && !repeat && target.closest("button:not(.box), summary")) return null;
  if (arrow && (shiftKey || altKey)) {
    const sides = !altKey ? ALL_SIDES : shiftKey ? [0, 1] : [2, 3];
    return () => adjust(sides, arrow, repeat);
  }
  if (/^[1-9]$/.test(key)) return () => choose(key - 1);
  const action = altKey ? null : KEYS[key.toLowerCase()];
  return repeat && !arrow && action ? () => {} : action; // a held key decides once
}

// By a pixel, or by a hundredth of the photo while the key is held.
function adjust(sides, [dx, dy], isHeld) {
  const {width, height} = photos[current], found = reviews[current].objects[selected];
  if (!found) return;
  const by = isHeld ? Math.max(1, Math.round(Math.max(width, height) / 100)) : 1;
  found.box = moved(found.box, sides, dx * by, dy * by);
  keep();
  update();
}

document.addEventListener("keydown", (event) => {
  const action = actionOf(event);
  if (!action) return;
  event.preventDefault();
  action();
});
show(Math.max(0, reviews.findIndex(({verdict}) => !verdict)));
