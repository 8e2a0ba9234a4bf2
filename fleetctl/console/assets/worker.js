// One stream of news for all tabs of a browser: it opens few connections to one server.
"use strict";
const tabs = new Set();
let source = null;
let word = "lost";

function tell(news) {
  for (const tab of tabs) tab.postMessage(news);
}

function listen() {
  source = new EventSource("/live");
  source.addEventListener("hello", () => { word = "live"; tell("hello"); });
  source.addEventListener("news", () => tell("news"));
  source.onerror = () => {
    word = "lost";
    tell("lost");
    if (source.readyState === EventSource.CLOSED) {
      source = null;
      setTimeout(() => { if (tabs.size && !source) listen(); }, 5000);
    }
  };
}

onconnect = (event) => {
  const tab = event.ports[0];
  tabs.add(tab);
  tab.onmessage = () => {
    tabs.delete(tab);
    if (!tabs.size && source) { source.close(); source = null; }
  };
  if (!source) listen();
  else if (word === "live") tab.postMessage("live");
};
