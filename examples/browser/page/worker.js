// Draws beside the page, so that the page goes on answering. Messages: {prompt, negative, guidance, seed} in;
// {ready}, {done, calls}, {picture} or {wrong} out.
let program

async function load() {
  const imports = { page: { progress: (done, calls) => postMessage({ done, calls }) } }
  const [{ instance }, constants] = await Promise.all([
    WebAssembly.instantiateStreaming(fetch("program.wasm"), imports),
    fetch("weights.bin").then((answer) => answer.arrayBuffer()),
  ])
  program = instance.exports
  if (constants.byteLength !== program.weights_bytes())
    throw new Error(`weights.bin has ${constants.byteLength} bytes, not ${program.weights_bytes()}`)
  new Uint8Array(program.memory.buffer, program.weights()).set(new Uint8Array(constants))
  const status = program.init()
  if (status !== 0) throw new Error(`the program can't be made ready: status ${status}`)
  return { width: program.width(), height: program.height() }
}

function write(text, at) {
  const bytes = new TextEncoder().encode(text)
  if (bytes.length >= program.text_bytes()) throw new Error(`a text has ${bytes.length} bytes, which are too many`)
  const place = new Uint8Array(program.memory.buffer, at, bytes.length + 1)
  place.set(bytes)
  place[bytes.length] = 0
}

function draw({ prompt, negative, guidance, seed }) {
  write(prompt, program.prompt())
  write(negative, program.negative())
  const begin = performance.now()
  const status = program.draw(Math.round(guidance * 65536), seed)
  if (status !== 0) throw new Error(`nothing can be drawn: status ${status}`)
  const [width, height, channels] = [program.width(), program.height(), program.channels()]
  const bytes = new Uint8Array(program.memory.buffer, program.rgb(), width * height * channels).slice()
  return { width, height, channels, bytes, seconds: (performance.now() - begin) / 1000 }
}

const loaded = load()
loaded.then((ready) => postMessage({ ready })).catch((error) => postMessage({ wrong: error.message }))
onmessage = async ({ data }) => {
  try {
    await loaded
    postMessage({ picture: draw(data) })
  } catch (error) {
    postMessage({ wrong: error.message })
  }
}
