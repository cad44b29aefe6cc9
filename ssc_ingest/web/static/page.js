// Replaces the parts of the page that changed. Without JavaScript the page is the same, but still.
"use strict";

const EVERY = 10_000; // milliseconds
const place = document.getElementById("refreshing");
let paused = false;

const isUsed = (part) =>
  part.contains(document.activeElement) || String(getSelection()) !== "";

async function refresh() {
  if (paused || document.hidden) return;
  let note = "Refreshed every 10 s.";
  try {
    const answer = await fetch(location.pathname + location.search, { cache: "no-store" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-part]")) {
      const fresh = page.getElementById(part.id);
      if (fresh && !isUsed(part) && fresh.innerHTML !== part.innerHTML) {
        part.replaceChildren(...fresh.childNodes);
      }
    }
    const [shown, now] = [document, page].map((each) => each.querySelector("footer time"));
    shown.replaceWith(now);
    document.body.classList.remove("old");
  } catch (error) {
    document.body.classList.add("old");
    note = `Not refreshed: the server does not answer (${error.message}). The figures are old.`;
  }
  say(note);
}

const text = document.createElement("span");
const button = document.createElement("button");

function say(note) {
  if (text.textContent !== note) text.textContent = note;
}

if (place && document.querySelector("[data-part]")) {
  button.type = "button";
  button.textContent = "Pause refreshing";
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Continue refreshing" : "Pause refreshing";
    say(paused ? "Not refreshed: paused." : "Refreshed every 10 s.");
  });
  text.setAttribute("role", "status");
  place.append(text, " ", button);
  say("Refreshed every 10 s.");
  setInterval(refresh, EVERY);
}
