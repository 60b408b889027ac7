"use strict";
// Asks the server every other second whether there is something new, and shows it.
(() => {
  const every = 2000;
  const version = () => document.getElementById("live").dataset.version;
  const say = (text) => { document.getElementById("live").textContent = text; };
  async function look() {
    try {
      const newest = await (await fetch("/version")).text();
      if (newest !== version()) window.t2t.replace(await (await fetch("/")).text());
      say(`Live: as of ${new Date().toLocaleTimeString()}.`);
    } catch {
      say("The server of this page does not answer; it shows what was there last.");
    }
    setTimeout(look, every);
  }
  setTimeout(look, every);
})();
