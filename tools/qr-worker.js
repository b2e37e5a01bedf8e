// The badge page's worker: it is given one picture at a time and answers with the text of the code in it, or "".
// `tools/vendor.py refresh` bundles it with npm `qr`; the pictures go nowhere else.
import decodeQR from "qr/decode.js";

self.onmessage = ({ data: { width, height, pixels } }) => {
  let text = "";
  try {
    text = decodeQR({ width, height, data: new Uint8ClampedArray(pixels) });
  } catch {
    // no code in this picture
  }
  self.postMessage(text);
};
