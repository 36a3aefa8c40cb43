// Steps through the stages in #data: what changed, or the whole graph; one layer's lines where it is asked for.
const data = JSON.parse(document.getElementById("data").textContent);
const at = name => document.getElementById(name);
const KEPT = 2; // lines around a change
const MODULE = /  \/\/ (\S+)$/;
const text = place => data.lines[place];
const layersOf = stage => new Set(stage.lines.map(one => (MODULE.exec(text(one)) || [])[1]).filter(Boolean));

data.stages.forEach((stage, place) => at("pass").append(new Option(`${place} ${stage.name}`, place)));
const known = new Set();
for (const stage of data.stages) for (const layer of layersOf(stage)) known.add(layer);
for (const layer of known) at("layers").append(new Option(layer));

// [kind, line] of a stage: " " stays, "+" is new, "-" is gone, null where lines are left out.
function changes(stage, before) {
  const found = [];
  for (const [kind, first, end, old, oldEnd] of stage.steps) {
    const same = stage.lines.slice(first, end);
    if (kind !== "equal") {
      for (const one of before ? before.lines.slice(old, oldEnd) : []) found.push(["-", one]);
      for (const one of same) found.push(["+", one]);
    } else if (same.length <= 2 * KEPT) {
      for (const one of same) found.push([" ", one]);
    } else {
      for (const one of same.slice(0, KEPT)) found.push([" ", one]);
      found.push([null, `${same.length - 2 * KEPT} lines are the same`]);
      for (const one of same.slice(-KEPT)) found.push([" ", one]);
    }
  }
  return found;
}

function shown(kind, one) {
  const line = document.createElement("span");
  line.className = kind === "+" ? "new" : kind === "-" ? "gone" : kind === null ? "left" : "same";
  const words = kind === null ? one : text(one), module = kind === null ? null : MODULE.exec(words);
  line.append(kind === null ? `  … ${words}` : `${kind}\u00a0${module ? words.slice(0, module.index) : words}`);
  if (module) {
    const link = document.createElement("a");
    link.textContent = `// ${module[1]}`;
    link.href = "#";
    link.onclick = () => { at("search").value = module[1]; draw(); return false; };
    line.append("  ", link);
  }
  return line;
}

// A layer's nodes, the plans that they name, and its error.
function ofLayer(stage, layer) {
  const nodes = stage.lines.filter(one => text(one).endsWith(`  // ${layer}`));
  const named = new Set(nodes.flatMap(one => text(one).match(/[A-Za-z_][\w.]*/g) || []));
  const plans = stage.lines.filter(one => {
    const plan = (/^  (\S+): /.exec(text(one)) || [])[1];
    return plan && (named.has(plan) || plan.startsWith(`${layer}.`));
  });
  return [...nodes, ...plans];
}

function draw() {
  const place = Number(at("pass").value), stage = data.stages[place], before = data.stages[place - 1];
  const wanted = at("search").value.trim(), layer = known.has(wanted) ? wanted : null;
  let lines;
  if (layer) {
    const old = before ? ofLayer(before, layer) : [], now = ofLayer(stage, layer), held = new Set(now);
    const had = new Set(old);
    lines = [...old.filter(one => !held.has(one)).map(one => ["-", one]),
             ...now.map(one => [before && !had.has(one) ? "+" : " ", one])];
  } else {
    lines = at("whole").checked ? stage.lines.map(one => [" ", one]) : changes(stage, before);
    if (wanted) lines = lines.filter(([kind, one]) => kind !== null && text(one).includes(wanted));
  }
  const count = kind => lines.filter(one => one[0] === kind).length;
  at("said").textContent = `${stage.name}: ${count("+")} lines new, ${count("-")} gone` +
    (layer ? `, of ${layer}` : wanted ? `, with ${wanted}` : "");
  const errors = layer ? Object.entries(data.errors).filter(([, one]) => one[layer] != null) : [];
  at("layer").textContent = !layer ? "" : errors.length
    ? `Error as integers: ${errors.map(([call, one]) => `${one[layer]} dB at call ${call}`).join(", ")}`
    : "No error was measured of this layer.";
  at("lines").replaceChildren(...lines.map(([kind, one]) => shown(kind, one)));
}

function go(by) {
  at("pass").value = Math.min(data.stages.length - 1, Math.max(0, Number(at("pass").value) + by));
  draw();
}
at("pass").onchange = at("whole").onchange = at("search").oninput = draw;
at("back").onclick = () => go(-1);
at("on").onclick = () => go(1);
document.onkeydown = event => {
  if (event.target !== at("search") && event.target !== at("pass"))
    if (event.key === "ArrowRight") go(1); else if (event.key === "ArrowLeft") go(-1);
};
at("pass").value = Math.min(1, data.stages.length - 1);
draw();
