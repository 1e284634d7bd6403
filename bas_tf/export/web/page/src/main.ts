import {
  boxInPhoto,
  type Named,
  type Shown,
  showAnswer,
  showClasses,
  showNothing,
  showPhoto,
} from "./answer";
import { closeCamera, openCamera, takePicture } from "./camera";
import { showCard } from "./card";
import { foundClasses } from "./classes";
import { NO_OBJECT } from "./confidence";
import { element, withText } from "./elements";
import { type Found, Localizer } from "./localizer";
import { isolatePage, keepSite, onNewerSite } from "./offline";
import { openPhoto, type Photo } from "./photo";
import { showSeveral } from "./several";
import { loadSite, type Site } from "./site";
import { Trouble, words } from "./trouble";

const READY = "Ready: choose a photo.";

const video = element<HTMLVideoElement>("video");
const file = element<HTMLInputElement>("file");
const wanted = element<HTMLSelectElement>("wanted");
const opacity = element<HTMLInputElement>("opacity");
const camera = element<HTMLButtonElement>("camera");

let newest = 0; // job: only the last one tells how it went
let coming: (() => Promise<Photo>) | undefined; // the last photo until it is answered
let seen: { shown: Shown; pixels: Uint8Array<ArrayBuffer>; best: Found } | undefined;
let asked = ""; // of `wanted`: the choice whose answer is shown

/** Runs once; after an error, again when it is next asked for. */
function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined;
  return () =>
    (loaded ??= load().catch((error) => {
      loaded = undefined;
      throw error;
    }));
}

const site = once(async () => {
  const found = await loadSite();
  showCard(found);
  offerClasses(found);
  return found;
});
const localizer = once(async () => {
  await isolatePage(() => newest === 1).catch(() => {}); // then with one thread
  const loaded = await Localizer.load((await site()).localizer);
  if (!coming) await loaded.warmUp();
  void keepOffline();
  return loaded;
});
const givenClass = once(async () => Localizer.load((await site()).given_class!));

/** Does a job; says in words how it went, unless a newer one has begun. */
async function work(start: string, job: (isNewest: () => boolean) => Promise<string>) {
  const number = ++newest;
  const isNewest = () => number === newest;
  element("main").ariaBusy = "true";
  tell(start, "");
  try {
    const said = await job(isNewest);
    if (isNewest()) tell(said, "");
  } catch (error) {
    if (!(error instanceof Trouble)) console.error(error);
    if (isNewest()) tell("", words(error));
  } finally {
    if (isNewest()) {
      element("main").ariaBusy = "false";
      wanted.value = asked; // another choice came to nothing
    }
  }
}

function tell(status: string, problem: string): void {
  element("status").textContent = status;
  element("problem").textContent = problem;
}

function getReady(): void {
  void work("Loading the model …", async () => {
    await localizer();
    return READY;
  });
}

/** Looks at a photo unless another comes after it: the model's own choice of class. */
function look(name: string, open: () => Promise<Photo>): void {
  stopCamera();
  coming = open;
  const isLast = () => coming === open;
  const looked = work(`Looking at ${name} …`, async () => {
    try {
      return await answerPhoto(name, await open(), isLast);
    } catch (error) {
      if (isLast()) showNothing(); // the last answer would pass for this photo's
      throw error;
    }
  });
  void looked.then(() => {
    if (isLast()) coming = undefined;
  });
}

async function answerPhoto(
  name: string,
  photo: Photo,
  isLast: () => boolean,
): Promise<string> {
  try {
    const model = await localizer();
    if (!isLast()) return "";
    const start = performance.now();
    const pixels = photo.resized(model.width, model.height);
    const resized = performance.now();
    const best = await model.localize(pixels);
    const end = performance.now();
    if (!isLast()) return "";
    const { width, height } = photo;
    seen = { shown: { name, width, height }, pixels, best };
    showPhoto(photo);
    tellTiming(end - resized, resized - start);
    return await answerBest();
  } finally {
    photo.close();
  }
}

/** The answer that the model gave by itself. */
async function answerBest(): Promise<string> {
  const { shown, best } = seen!;
  const model = await localizer();
  const classes = await bestClasses(best);
  showClasses(classes);
  wanted.value = asked = "";
  const { segmentation } = best;
  const names = (await site()).localizer.document.class_names;
  const several = segmentation ? foundClasses(segmentation, shown, names) : [];
  if (several.length) return showSeveral(shown, best, several, classes);
  const box = boxInPhoto(best.box, model.width, model.height, shown);
  return showAnswer(shown, best, box, classes[0].name, classes, false);
}

async function bestClasses(best: Found): Promise<Named[]> {
  const names = (await site()).localizer.document.class_names;
  return best.classes.map(({ id, score }) => ({ name: names[id], score }));
}

/** Looks for the chosen class in the photo that is shown, unless another is coming. */
function lookFor(choice: string): void {
  if (coming) {
    wanted.value = asked;
    return;
  }
  const { shown, pixels, best } = seen!;
  if (choice === "") {
    void work("", answerBest);
    return;
  }
  void work(`Looking for it in ${shown.name} …`, async (isNewest) => {
    const { document } = (await site()).given_class!;
    const model = await givenClass();
    const own = await bestClasses(best);
    if (!isNewest()) return "";
    const start = performance.now();
    const found = await model.localize(pixels, Number(choice));
    const end = performance.now();
    if (!isNewest()) return "";
    tellTiming(end - start);
    const box = boxInPhoto(found.box, model.width, model.height, shown);
    const name = document.class_names[Number(choice)];
    asked = choice;
    return showAnswer(shown, found, box, name, own, true);
  });
}

function offerClasses(found: Site): void {
  if (!found.given_class) return;
  const own = withText("option", "the model's own choice") as HTMLOptionElement;
  own.value = "";
  const classes = found.given_class.document.class_names.flatMap((name, id) => {
    if (name === NO_OBJECT) return [];
    const option = withText("option", name) as HTMLOptionElement;
    option.value = String(id);
    return option;
  });
  wanted.replaceChildren(own, ...classes);
  element("asking").hidden = false;
}

function tellTiming(network: number, resizing?: number): void {
  const before = resizing === undefined ? "" : `, resizing before it ${ms(resizing)}`;
  element("timing").textContent = `Network ${ms(network)}${before}.`;
}

function ms(milliseconds: number): string {
  return `${milliseconds.toFixed(1)} ms`;
}

function lookAtFirst(files: FileList | undefined): void {
  const chosen = files?.[0];
  if (chosen) {
    look(chosen.name, () => openPhoto(chosen, chosen.name));
  } else {
    tell("", "There was no file in that. Drop or paste a photo, or choose one.");
  }
}

async function startCamera(): Promise<void> {
  stopCamera(); // of an earlier start
  camera.disabled = true; // the starts of two clicks would end each other
  await work("Starting the camera …", async (isNewest) => {
    await openCamera(video);
    if (!isNewest()) {
      closeCamera(video);
      return "";
    }
    element("viewfinder").hidden = false;
    element("take").focus();
    return "The camera is on.";
  });
  camera.disabled = false;
  if (document.activeElement === document.body) camera.focus(); // lost while disabled
}

function stopCamera(): void {
  if (element("viewfinder").hidden) return;
  closeCamera(video);
  element("viewfinder").hidden = true;
  camera.focus();
}

function takeAndLook(): void {
  const taken = takePicture(video); // before the camera closes
  void taken.then(
    () => look("Picture", () => taken),
    (error) => tell("", words(error)),
  );
}

function acceptPhotos(): void {
  element("choose").addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    if (file.files?.length) lookAtFirst(file.files);
    file.value = ""; // the same file can be chosen again
  });
  document.addEventListener("paste", (event) => lookAtFirst(event.clipboardData?.files));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", () => {
    document.body.classList.remove("dragging");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    lookAtFirst(event.dataTransfer?.files);
  });
  camera.addEventListener("click", () => void startCamera());
  element("take").addEventListener("click", takeAndLook);
  element("close").addEventListener("click", () => {
    stopCamera();
    getReady();
  });
}

function showOpacity(): void {
  element("heat").style.opacity = String(opacity.valueAsNumber / 100);
  opacity.ariaValueText = `${opacity.value} percent`;
}

async function keepOffline(): Promise<void> {
  try {
    const kept = await keepSite();
    // Where a newer version has come meanwhile, its news stays.
    if (kept) element("offline").textContent ||= "The page now works offline.";
  } catch (error) {
    console.warn("The page does not work offline:", error);
  }
}

acceptPhotos();
opacity.addEventListener("input", showOpacity);
wanted.addEventListener("change", () => lookFor(wanted.value));
showOpacity();
onNewerSite(() => {
  element("offline").textContent = "A newer version of this page is there: reload.";
});
getReady();
