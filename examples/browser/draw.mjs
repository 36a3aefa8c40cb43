// What the page draws, without a page: node draw.mjs SITE PROMPT NEGATIVE GUIDANCE SEED writes bytes of pixels to stdout.
import { readFileSync, writeSync } from "node:fs"

const [site, prompt, negative, guidance, seed] = process.argv.slice(2)
const imports = { page: { progress: (done, calls) => process.stderr.write(`\rstep ${done} of ${calls}`) } }
const { instance } = await WebAssembly.instantiate(readFileSync(`${site}/program.wasm`), imports)
const program = instance.exports
new Uint8Array(program.memory.buffer, program.weights(), program.weights_bytes()).set(readFileSync(`${site}/weights.bin`))
const write = (text, at) => new Uint8Array(program.memory.buffer, at).set([...new TextEncoder().encode(text), 0])
let status = program.init()
write(prompt, program.prompt())
write(negative, program.negative())
const begin = performance.now()
if (status === 0) status = program.draw(Math.round(Number(guidance) * 65536), Number(seed))
if (status !== 0) throw new Error(`nothing can be drawn: status ${status}`)
process.stderr.write(`\n${((performance.now() - begin) / 1000).toFixed(2)} seconds\n`)
const count = program.width() * program.height() * program.channels()
writeSync(1, new Uint8Array(program.memory.buffer, program.rgb(), count))
