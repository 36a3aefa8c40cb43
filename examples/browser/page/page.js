const at = (id) => document.getElementById(id)
const worker = new Worker("worker.js")
const said = (text) => (at("said").textContent = text)
let opened = performance.now()

function show({ width, height, channels, bytes, seconds }) {
  const canvas = at("picture")
  canvas.width = width
  canvas.height = height
  const image = canvas.getContext("2d").createImageData(width, height)
  for (let i = 0; i < width * height; i++)
    for (let c = 0; c < 4; c++) image.data[4 * i + c] = c === 3 ? 255 : bytes[channels * i + (channels === 3 ? c : 0)]
  canvas.getContext("2d").putImageData(image, 0, 0)
  window.drawn = Array.from(bytes)
  const whole = opened === null ? "" : ` ${((performance.now() - opened) / 1000).toFixed(1)} seconds after the page was opened.`
  opened = null
  said(`Drawn in ${seconds.toFixed(1)} seconds.${whole}`)
  at("draw").disabled = false
}

function ask() {
  at("draw").disabled = true
  worker.postMessage({
    prompt: at("prompt").value,
    negative: at("negative").value,
    guidance: Number(at("guidance").value),
    seed: Number(at("seed").value),
  })
}

worker.onmessage = ({ data }) => {
  if (data.ready) ask()
  if (data.picture) show(data.picture)
  if (data.calls) {
    at("progress").max = data.calls
    at("progress").value = data.done
    said(`Step ${data.done} of ${data.calls}.`)
  }
  if (data.wrong) {
    said(`That went wrong: ${data.wrong}.`)
    at("draw").disabled = false
  }
}

at("form").onsubmit = (event) => {
  event.preventDefault()
  ask()
}

Promise.all(["program.wasm", "weights.bin"].map((name) => fetch(name, { method: "HEAD" })))
  .then((answers) => answers.reduce((sum, one) => sum + Number(one.headers.get("Content-Length")), 0))
  .then((bytes) => (at("weight").textContent = `${(bytes / 1e6).toFixed(1)} MB`))
