// A camera's picture, taken on demand.

import { Photo } from "./photo";
import { Trouble } from "./trouble";

const CHOOSE = "Choose a photo instead.";

/**
 * Shows what the camera sees.
 *
 * @throws Trouble where it is denied, missing, or in use.
 */
export async function openCamera(video: HTMLVideoElement): Promise<void> {
  if (!navigator.mediaDevices) {
    throw new Trouble(`The camera needs this page by https or on localhost. ${CHOOSE}`);
  }
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment" },
    });
    await video.play();
  } catch (error) {
    closeCamera(video);
    throw new Trouble(`${reason((error as Error).name)} ${CHOOSE}`);
  }
}

function reason(name: string): string {
  switch (name) {
    case "NotAllowedError":
      return "The camera was not allowed: the browser's settings for this site can.";
    case "NotFoundError":
      return "There is no camera on this device.";
    case "NotReadableError":
      return "The camera is in use by another program.";
    default:
      return `The camera did not start (${name}).`;
  }
}

/** The picture that is shown now. */
export async function takePicture(video: HTMLVideoElement): Promise<Photo> {
  return new Photo(await createImageBitmap(video), "Picture");
}

export function closeCamera(video: HTMLVideoElement): void {
  const stream = video.srcObject as MediaStream | null;
  stream?.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
}
