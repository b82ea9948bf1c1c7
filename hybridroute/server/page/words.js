// How things are said, and the one way elements are made: with text, never with markup.

export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

export const armName = (arm) => ({ edge: "on this device", cloud: "in the cloud" })[arm] ?? arm;

/** The class of what is coloured by where an arm runs. */
export const side = (place) => (place === "device" ? "edge" : "cloud");

export const percent = (share, digits = 0) =>
  share === null || share === undefined ? "–" : `${(share * 100).toFixed(digits)} %`;

export function milliseconds(value) {
  if (value === null || value === undefined) return "–";
  return value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(2)} s`;
}

export function dollars(value) {
  if (value === 0) return "$0";
  return value < 0.01 ? `$${value.toPrecision(2)}` : `$${value.toFixed(2)}`;
}

export const number = (value, digits = 3) =>
  value === null || value === undefined ? "–" : value.toFixed(digits);

/** A text of the API, which begins in lower case, as a sentence. */
export const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

const HELD = {
  usd_per_hour: (most) => `${dollars(most)} an hour`,
  cloud_requests: (most, all) => `${most} cloud requests in ${all.window_s} s`,
  cloud_share: (most) => `${percent(most)} of requests to the cloud`,
  p95_ms: (most) => `95 % of waits within ${milliseconds(most)}`,
};

/** What a controller holds, and its last change. */
export function heldBy({ holds, changes }) {
  const name = Object.keys(HELD).find((key) => key in holds);
  const target = name ? HELD[name](holds[name], holds) : JSON.stringify(holds);
  const last = changes[0];
  const why = last ? ` Last change ${Math.round(last.seconds_ago)} s ago: ${last.cause}.` : "";
  return `A controller turns the dial to hold ${target}.${why}`;
}
