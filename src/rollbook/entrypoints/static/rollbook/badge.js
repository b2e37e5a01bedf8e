// The badge page. The camera starts on a tap, pictures are read on this device (by the browser, else by our worker),
// and what is sent is the text of the badge alone. The camera stops on success, after 30 seconds, and with the page.
"use strict";
(() => {
  const by = (id) => document.getElementById(id);
  const start = by("start"), video = by("camera"), status = by("status"), help = by("help");
  const SECONDS = 30, BADGE = /^RB1:[A-Z2-7]{26}$/;
  let stream = null, ends = 0, asking = false, refused = "";

  const say = (text) => { if (status.textContent !== text) status.textContent = text; };

  function stop() {
    if (stream) stream.getTracks().forEach((track) => track.stop());
    stream = null;
    video.srcObject = null;
    video.hidden = true;
  }

  function giveUp(text) {
    stop();
    say(text);
    help.hidden = start.hidden = false;
  }

  async function reader() {
    if ("BarcodeDetector" in window && (await BarcodeDetector.getSupportedFormats()).includes("qr_code")) {
      const native = new BarcodeDetector({ formats: ["qr_code"] });
      return async () => ((await native.detect(video))[0] || { rawValue: "" }).rawValue;
    }
    const worker = new Worker(start.dataset.worker);
    const canvas = document.createElement("canvas");
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    return () => new Promise((done) => {
      const width = canvas.width = video.videoWidth, height = canvas.height = video.videoHeight;
      if (!width) return done("");
      pen.drawImage(video, 0, 0);
      const pixels = pen.getImageData(0, 0, width, height).data.buffer;
      worker.onmessage = ({ data }) => done(data);
      worker.onerror = () => done("");
      worker.postMessage({ width, height, pixels }, [pixels]);
    });
  }

  async function send(token) {
    const answer = await fetch(`/badge${location.search}`, {
      method: "POST",
      body: new URLSearchParams({ token }),
      headers: { "Accept": "application/json", "X-CSRFToken": document.querySelector("[name=csrfmiddlewaretoken]").value },
    });
    const said = await answer.json();
    if (answer.ok) {
      video.classList.add("cam--ok");
      stop();
      location.assign(said.next);
      return;
    }
    refused = token;
    if (answer.status === 429) giveUp(said.problem);
    else say(said.problem);
  }

  async function look(read) {
    if (!stream) return;
    if (Date.now() > ends) return giveUp("No badge was seen. Try again, or use a picture code.");
    const text = video.readyState >= 2 ? await read() : "";
    if (stream && text && text !== refused) {
      if (BADGE.test(text)) {
        try { await send(text); } catch { say("There is no connection. Wait a moment."); }
      } else say("That is not a Rollbook badge.");
    }
    if (stream) setTimeout(() => look(read), 60);
  }

  async function begin() {
    if (asking || stream) return;
    asking = true;
    say("");
    try {
      const read = await reader();
      const given = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 } } });
      stream = given;
      video.srcObject = stream;
      video.hidden = false;
      start.hidden = true;
      await video.play();
      ends = Date.now() + SECONDS * 1000;
      say("Hold it here");
      look(read);
    } catch {
      giveUp("The camera is off. Say yes when the browser asks, or use a picture code.");
    }
    asking = false;
  }

  if (navigator.mediaDevices && navigator.mediaDevices.getUserMedia && window.Worker) start.hidden = false;
  else help.hidden = false;
  start.addEventListener("click", begin);
  addEventListener("pagehide", stop);
})();
