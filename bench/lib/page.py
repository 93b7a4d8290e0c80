"""docs/benchmarks.md and its drawings."""
from html import escape

from measure import percentile

OURS, THEIRS, SHIM = "#1f6feb", "#9aa4b2", "#238636"
PARTS = (0.5, 0.9, 0.99, 1)


def one_line(failure):
    return str(failure).replace("|", "/").replace("\n", " ")[:160]


def megabytes(kilobytes):
    return kilobytes if isinstance(kilobytes, str) else f"{kilobytes / 1024:.1f} MB"


class Page:
    """Says each part at once, and keeps it for the file. `docs` is None when nothing shall be written."""

    def __init__(self, docs):
        self.docs = docs
        self.parts, self.drawings, self.failures, self.versions = [], {}, [], []
        self.wanted = []  # rows of the table of targets

    def say(self, text):
        print(text, flush=True)
        self.parts.append(text)

    def drawing(self, name, content):
        self.drawings[name] = content
        self.parts.append(f"![{name}](benchmarks/{name}.svg)\n")

    def target(self, what, value, limit, unit):
        self.wanted.append(f"| {what} | ≤ {limit:g} {unit} | {value:.2f} {unit} | {'met' if value <= limit else '**not met**'} |")

    def failed(self, part, failure):
        self.failures.append(part)
        self.say(f"**{part} could not be measured**: {one_line(failure)}\n")
        self.wanted.append(f"| {part} | | {one_line(failure)} | **not measured** |")

    def targets(self):
        return "\n".join(["| target | limit | measured | |", "|---|---|---|---|", *self.wanted]) + "\n"

    def write(self, head):
        folder = self.docs / "benchmarks"
        folder.mkdir(exist_ok=True)
        for name, content in self.drawings.items():
            (folder / f"{name}.svg").write_text(content)
        (self.docs / "benchmarks.md").write_text(head + "## Targets\n\n" + self.targets() + "\n## Measured\n\n" + "\n".join(self.parts))


def table(title, rows):
    """`rows`: name -> milliseconds, or why there are none; the first one is Gantry, and the ratio is to it."""
    out = [f"| {title} | n | p50 | p90 | p99 | max | ratio |", "|---|---|---|---|---|---|---|"]
    base = percentile(next(iter(rows.values())), 0.5)
    for name, values in rows.items():
        if isinstance(values, str):
            out.append(f"| {name} | {values} | | | | | |")
            continue
        numbers = " | ".join(f"{percentile(values, part):.1f}" for part in PARTS)
        out.append(f"| {name} | {len(values)} | {numbers} | {percentile(values, 0.5) / base:.1f} |")
    return "\n".join(out) + "\n"


def svg(title, size, parts):
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}" height="{size[1]}" '
        'font-family="sans-serif" font-size="12">', '<rect width="100%" height="100%" fill="white"/>',
        text(8, 20, title, ' font-weight="bold" font-size="13"'), *parts, "</svg>"]) + "\n"


def text(x, y, words, more=""):
    return f'<text x="{x:.1f}" y="{y}"{more}>{escape(words)}</text>'


def box(x, y, width, height, colour):
    return f'<rect x="{x:.1f}" y="{y}" width="{max(width, 1):.1f}" height="{height}" fill="{colour}"/>'


def bars(title, rows):
    """Medians as horizontal bars, p99 as a thin line behind."""
    rows = {name: values for name, values in rows.items() if not isinstance(values, str)}
    longest = max(percentile(values, 0.99) for values in rows.values())
    width, left, height = 760, 250, 26
    scale = (width - left - 70) / longest
    parts = []
    for number, (name, values) in enumerate(rows.items()):
        y = 34 + number * height
        middle, tail = percentile(values, 0.5), percentile(values, 0.99)
        colour = OURS if name.startswith("gantry") else THEIRS
        parts += [text(8, y + 14, name), box(left, y + 8, tail * scale, 2, colour), box(left, y + 1, middle * scale, 16, colour),
                  text(left + tail * scale + 6, y + 14, f"{middle:.1f}")]
    return svg(f"{title}: p50 (bar, number) and p99 (line), ms", (width, height * len(rows) + 40), parts)


def end_of(steps):
    return max(step["at_micros"] for step in steps)


def trace_table(steps):
    out = ["| at, µs | took, µs | step |", "|---|---|---|"]
    out += [f"| {step['at_micros']} | {step['took_micros']} | {step['name']} |" for step in steps]
    return "\n".join(out) + "\n"


def trace_drawing(steps):
    width, left, height = 760, 260, 20
    scale = (width - left - 60) / max(end_of(steps), 1)
    parts = []
    for number, step in enumerate(steps):
        y = 30 + number * height
        colour = SHIM if step["name"].startswith("shim") else OURS
        parts += [text(8, y + 12, step["name"]),
                  box(left + (step["at_micros"] - step["took_micros"]) * scale, y, step["took_micros"] * scale, 14, colour),
                  text(left + step["at_micros"] * scale + 4, y + 12, str(step["took_micros"]))]
    return svg(f"One start: {end_of(steps)} µs; blue is the daemon, green the shim", (width, height * len(steps) + 40), parts)
