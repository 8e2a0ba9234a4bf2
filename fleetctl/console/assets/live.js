// Takes the page anew when there is something new, and puts its middle in place of the old one.
"use strict";
(() => {
  const sign = document.getElementById("live");
  if (!sign) return;
  const WORDS = { live: "● live", lost: "○ not live: reload to see what is new" };
  let taking = false;
  let again = false;

  const say = (word) => { if (sign.textContent !== WORDS[word]) sign.textContent = WORDS[word]; };

  const held = () => {
    const at = document.activeElement;
    const typing = at && at.closest("main") && at.matches("input, select");
    const picked = getSelection();
    return document.hidden || typing || (picked && !picked.isCollapsed);
  };

  const put = (fresh) => {
    const main = document.getElementById("main");
    if (main.innerHTML === fresh.innerHTML) return;
    const at = document.activeElement;
    const focus = at && main.contains(at) ? at.id : "";
    const open = [...main.querySelectorAll("details[open][id]")].map((one) => one.id);
    const places = [...main.querySelectorAll(".scroll[id]")].map((one) => [one.id, one.scrollLeft]);
    main.replaceChildren(...fresh.childNodes);
    for (const id of open) { const one = document.getElementById(id); if (one) one.open = true; }
    for (const [id, x] of places) { const one = document.getElementById(id); if (one) one.scrollLeft = x; }
    if (focus) { const one = document.getElementById(focus); if (one) one.focus({ preventScroll: true }); }
  };

  const take = async () => {
    if (taking || held()) { again = true; return; }
    taking = true;
    again = false;
    try {
      const answer = await fetch(location.href, { cache: "no-store", redirect: "manual" });
      if (!answer.ok) throw new Error("no page");
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      put(page.getElementById("main"));
      document.title = page.title;
    } catch {
      say("lost");
    }
    taking = false;
    if (again) setTimeout(take, 1000);
  };

  const hear = (news) => {
    say(news === "lost" ? "lost" : "live");
    if (news === "news" || news === "hello") take();
  };

  setInterval(() => { if (sign.textContent === WORDS.live) take(); }, 15000); // ages grow
  const later = () => { if (again && !held()) take(); };
  document.addEventListener("visibilitychange", later);
  document.addEventListener("focusout", () => setTimeout(later));
  document.addEventListener("selectionchange", later);

  if (window.SharedWorker) {
    const worker = new SharedWorker("/assets/worker.js");
    worker.port.onmessage = (event) => hear(event.data);
    worker.onerror = () => say("lost");
    addEventListener("pagehide", () => worker.port.postMessage("gone"));
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  } else {
    const source = new EventSource("/live");
    source.addEventListener("hello", () => hear("hello"));
    source.addEventListener("news", () => hear("news"));
    source.onerror = () => hear("lost");
  }
})();
