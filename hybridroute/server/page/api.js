// The server's API: JSON, the key where one is asked for, and event streams.

const KEY = "hybridroute-key";
let asking = null;

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

function headers(more = {}) {
  const key = sessionStorage.getItem(KEY);
  return key ? { ...more, authorization: `Bearer ${key}` } : more;
}

/** Ask the person for the server's key, once for all requests that wait for it. */
function askForKey() {
  asking ??= new Promise((resolve) => {
    const dialog = document.getElementById("key-dialog");
    const field = document.getElementById("key");
    dialog.addEventListener("close", () => {
      sessionStorage.setItem(KEY, field.value);
      field.value = "";
      asking = null;
      resolve();
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}

async function request(path, options = {}) {
  for (;;) {
    const answer = await fetch(path, { ...options, headers: headers(options.headers) });
    if (answer.ok) return answer;
    if (answer.status === 401) {
      await askForKey();
      continue;
    }
    const body = await answer.json().catch(() => ({}));
    throw new Refused(answer.status, body.error?.message ?? `the server answered ${answer.status}`);
  }
}

export async function read(path) {
  return (await request(path)).json();
}

export async function put(path, body) {
  return (await request(path, jsonOptions("PUT", body))).json();
}

function jsonOptions(method, body, signal) {
  return {
    method, signal, body: JSON.stringify(body), headers: { "content-type": "application/json" },
  };
}

/** The chunks of one streamed answer; aborting the signal cancels the generation. */
export async function* chat(body, signal) {
  const answer = await request("/v1/chat/completions", jsonOptions("POST", body, signal));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the stream ended before the answer was complete");
    const events = (held + value).split("\n\n");
    held = events.pop();
    for (const event of events) {
      const data = event.replace(/^data: /, "");
      if (data === "[DONE]") return;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new Refused(200, chunk.error.message);
      yield chunk;
    }
  }
}
