"""docs/benchmarks.md and its drawings."""
from measure import percentile

TARGETS = {  # issue 3, milliseconds
    "up": (0.50, 5), "up99": (0.99, 15), "run": (0.50, 12), "exec": (0.50, 4), "down": (0.50, 6),
}


def met(value, limit):
    return f"{limit:g}: {'met' if value <= limit else 'NOT met'}"


def table(title, rows, target=None):
    """`rows`: name -> milliseconds; the first one is Gantry, and the ratio is to it."""
    out = [f"| {title} | n | p50 | p90 | p99 | max | ratio | target p50 |", "|---|---|---|---|---|---|---|---|"]
    base = None
    for name, values in rows.items():
        if isinstance(values, str):
            out.append(f"| {name} | absent: {values} | | | | | | |")
            continue
        middle = percentile(values, 0.5)
        base = base or middle
        wanted = met(middle, target) if target and name.startswith("gantry") else ""
        numbers = " | ".join(f"{percentile(values, part):.1f}" for part in (0.5, 0.9, 0.99, 1))
        out.append(f"| {name} | {len(values)} | {numbers} | {middle / base:.1f} | {wanted} |")
    return "\n".join(out) + "\n"


def bars(path, title, rows):
    """Medians as horizontal bars, p99 as a thin line behind."""
    rows = {name: values for name, values in rows.items() if not isinstance(values, str)}
    longest = max(percentile(values, 0.99) for values in rows.values())
    width, left, height = 720, 250, 26
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height * len(rows) + 40}" '
             'font-family="sans-serif" font-size="13">', '<rect width="100%" height="100%" fill="white"/>',
             f'<text x="8" y="20" font-weight="bold">{title}: p50 (bar) and p99 (line), milliseconds</text>']
    for number, (name, values) in enumerate(rows.items()):
        y = 34 + number * height
        scale = (width - left - 70) / longest
        middle, tail = percentile(values, 0.5) * scale, percentile(values, 0.99) * scale
        colour = "#1f6feb" if name.startswith("gantry") else "#9aa4b2"
        parts += [f'<text x="8" y="{y + 14}">{name}</text>',
                  f'<rect x="{left}" y="{y + 8}" width="{tail:.1f}" height="2" fill="{colour}"/>',
                  f'<rect x="{left}" y="{y + 1}" width="{max(middle, 1):.1f}" height="16" fill="{colour}"/>',
                  f'<text x="{left + max(middle, tail) + 6:.1f}" y="{y + 14}">{percentile(values, 0.5):.1f}</text>']
    path.write_text("\n".join(parts + ["</svg>"]) + "\n")


def trace_table(steps):
    out = ["| at, us | took, us | step |", "|---|---|---|"]
    out += [f"| {step['at_micros']} | {step['took_micros']} | {step['name']} |" for step in steps]
    return "\n".join(out) + "\n"


def trace_drawing(path, steps):
    width, left, height = 720, 220, 20
    end = max(step["at_micros"] for step in steps) or 1
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height * len(steps) + 36}" '
             'font-family="sans-serif" font-size="12">', '<rect width="100%" height="100%" fill="white"/>',
             f'<text x="8" y="18" font-weight="bold">One start: {end} microseconds from the request to the program</text>']
    scale = (width - left - 60) / end
    for number, step in enumerate(steps):
        y = 28 + number * height
        begin = (step["at_micros"] - step["took_micros"]) * scale
        colour = "#1f6feb" if step["name"].startswith("shim") else "#238636"
        parts += [f'<text x="8" y="{y + 12}">{step["name"]}</text>',
                  f'<rect x="{left + begin:.1f}" y="{y}" width="{max(step["took_micros"] * scale, 1):.1f}" height="14" fill="{colour}"/>',
                  f'<text x="{left + step["at_micros"] * scale + 4:.1f}" y="{y + 12}">{step["took_micros"]}</text>']
    path.write_text("\n".join(parts + ["</svg>"]) + "\n")
