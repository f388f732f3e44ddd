/** The sizes of a drawing, in its own units. */
const SIZE = { width: 720, height: 320, left: 64, right: 8, top: 28, bottom: 96 }
const TICKS = 4

/**
 * Reads a bar chart of mermaid: its title, the names on its axes, and its bars, a list for each series.
 *
 * @param {string} source
 * @returns {{ title: string, unit: string, names: string[], series: number[][] }}
 */
export function parseChart (source) {
  if (!/^xychart-beta\s*$/m.test(source)) throw new Error('Only charts of the kind xychart-beta can be drawn.')
  const text = name => new RegExp(`^ *${name} "([^"]*)"`, 'm').exec(source)?.[1] ?? ''
  const list = words => JSON.parse(`[${words}]`)
  return {
    title: text('title'),
    unit: text('y-axis'),
    names: list(/^ *x-axis \[(.*)\]/m.exec(source)?.[1] ?? ''),
    series: [...source.matchAll(/^ *bar \[(.*)\]/gm)].map(match => list(match[1]))
  }
}

/** Draws it. As with mermaid the bars of a place stand before each other, but each is narrower than the one behind. */
export function drawChart (source) {
  const { title, unit, names, series } = parseChart(source)
  const { width, height, left, right, top, bottom } = SIZE
  const [innerWidth, innerHeight] = [width - left - right, height - top - bottom]
  const step = niceStep(Math.max(...series.flat()) / TICKS)
  const most = step * Math.ceil(Math.max(...series.flat()) / step)
  const y = value => top + innerHeight * (1 - value / most)
  const slot = innerWidth / names.length
  const bars = series.flatMap((values, index) => {
    const wide = slot * 0.84 * (1 - index / (series.length + 1))
    return values.map((value, place) => {
      const x = left + slot * (place + 0.5) - wide / 2
      const box = `x="${x.toFixed(1)}" y="${y(value).toFixed(1)}" width="${wide.toFixed(1)}"`
      const label = `<title>${escape(names[place])}: ${value} ${escape(unit)}</title>`
      return `<rect class="bar bar-${index}" ${box} height="${(y(0) - y(value)).toFixed(1)}">${label}</rect>`
    })
  })
  const lines = Array.from({ length: Math.round(most / step) + 1 }, (_, tick) => {
    const at = y(tick * step).toFixed(1)
    return `<path class="rule" d="M${left} ${at}H${width - right}"/>` +
      `<text x="${left - 6}" y="${at}" dy="4" text-anchor="end">${tick * step}</text>`
  })
  const labels = names.map((name, place) => {
    const x = (left + slot * (place + 0.5)).toFixed(1)
    return `<text text-anchor="end" transform="translate(${x} ${y(0) + 14}) rotate(-20)">${escape(name)}</text>`
  })
  return `<figure class="chart"><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(title)}">` +
    `<text x="${left}" y="14" class="title">${escape(title)} (${escape(unit)})</text>` +
    `${lines.join('')}${bars.join('')}${labels.join('')}</svg></figure>\n`
}

function niceStep (step) {
  const power = 10 ** Math.floor(Math.log10(step))
  return [1, 2, 2.5, 5, 10].map(factor => factor * power).find(nice => nice >= step)
}

function escape (text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
