// Who reads: the model in a worker; or, where the runtime was not installed, the server.

/** Asks the worker; each question is a message with an id, each answer a promise. */
export class Model {
  #worker = new Worker(new URL("worker.js", import.meta.url));
  #waiting = new Map();
  #last = 0;

  constructor() {
    this.#worker.onmessage = ({ data }) => {
      const { resolve, reject } = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if (data.error) reject(new Error(data.error));
      else resolve(data);
    };
    this.#worker.onerror = (event) => {
      const failed = new Error(event.message || "The model could not be started.");
      for (const { reject } of this.#waiting.values()) reject(failed);
      this.#waiting.clear();
    };
  }

  /** Resolves once the model has answered for the first time. */
  start = () => this.#ask("start");
  read = (canvas) => this.#ask("read", { canvas });
  explain = (seen, label) => this.#ask("explain", { seen, label });
  open = (blob) => this.#ask("open", { blob });

  #ask(kind, question = {}) {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, kind, ...question });
    });
  }
}

/** Lines of digits, as `deepmnist read --format json` gives them, that a server reads in a picture. */
export async function readByServer(blob) {
  const answer = await asked(blob);
  const [page] = [await answer.json()].flat();
  if (page.error) throw new Error(page.error);
  return page.lines;
}

async function asked(blob) {
  const none = "There is no server here that reads whole pictures; `deepmnist serve` is one.";
  let answer;
  try {
    answer = await fetch("read", { method: "POST", body: blob, headers: { accept: "application/json" } });
  } catch {
    throw new Error(none);
  }
  if ([404, 405, 501].includes(answer.status)) throw new Error(none);
  if (!answer.ok) throw new Error(`The server could not read this picture (${answer.status}).`);
  return answer;
}
