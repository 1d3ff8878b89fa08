"""Pictures of the kart: what a driver sees, where karts went, and several of them driving side by side."""

import base64
import functools
import html
import io
from dataclasses import dataclass

import numpy as np
from matplotlib.collections import LineCollection
from PIL import Image, ImageDraw
from scipy.spatial import cKDTree

from course_utils.kart import DT, HALF_WIDTH, LENGTH, SPEED, KartVector, place
from course_utils.networks import check_counts

GRASS, ASPHALT, EDGE, MIDDLE = (198, 214, 186), (92, 92, 98), (250, 250, 250), (225, 200, 80)
KART, PATH, FALL = (0, 114, 178), (86, 180, 233), (213, 94, 0)
SHAPE = np.array([[1.6, 0.0], [-1.0, 0.8], [-0.6, 0.0], [-1.0, -0.8]])  # an arrowhead, in metres


@functools.lru_cache
def _middle():
    """The middle line, a point every 10 cm, as a tree and as (M, 3): x, y, direction."""
    line = np.column_stack(place(np.arange(0, LENGTH, 0.1)))
    return cKDTree(line[:, :2]), line


def _pose(state):
    """x, y and direction of the kart in the world."""
    s, offset, heading, _ = state
    x, y, θ = place(s, offset)
    return float(x), float(y), float(θ + heading)


def kart_picture(state, pixels=240, ahead=20.0, width=24.0):
    """What is around the kart, which drives upwards: a picture (pixels, pixels, 3) of bytes.

    Grey is road, with white edges and a broken yellow middle.  The dots show where the kart comes within a second if it
    keeps turning as it does now.
    """
    x, y, θ = _pose(np.asarray(state, dtype=float))
    scale = width / pixels
    up = ahead - (np.arange(pixels) + 0.5) * scale  # metres in front of the kart, row by row
    left = width / 2 - (np.arange(pixels) + 0.5) * scale
    forward, sideways = np.meshgrid(up, left, indexing="ij")
    cos, sin = np.cos(θ), np.sin(θ)
    world = np.stack([x + forward * cos - sideways * sin, y + forward * sin + sideways * cos], axis=-1)
    tree, _ = _middle()
    distance, nearest = tree.query(world)
    picture = np.empty((pixels, pixels, 3), dtype=np.uint8)
    picture[:] = GRASS
    picture[distance < HALF_WIDTH] = ASPHALT
    picture[np.abs(distance - HALF_WIDTH) < 0.15] = EDGE
    picture[(distance < 0.1) & (nearest // 10 % 2 == 0)] = MIDDLE
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)

    def spot(forward, sideways):
        return ((width / 2 - sideways) / scale, (ahead - forward) / scale)

    yaw, steps = state[3], np.arange(1, 11) * DT
    turned = yaw * steps
    for chord, angle in zip(SPEED * steps * np.sinc(turned / 2 / np.pi), turned / 2, strict=True):
        u, v = spot(chord * np.cos(angle), chord * np.sin(angle))
        draw.ellipse([u - 2, v - 2, u + 2, v + 2], fill=PATH)
    draw.polygon([spot(*corner) for corner in SHAPE], fill=KART, outline=EDGE)
    return np.asarray(image)


@dataclass(frozen=True)
class Drive:
    """Where a kart went: state (T, 4) before each step, fell (T,) whether it fell in that step."""

    state: np.ndarray
    fell: np.ndarray


def drive(act, rng, steps=250, start=0.0):
    """A driver alone in one kart, from the middle of the road at `start` metres."""
    check_counts(steps=steps)
    env = KartVector(1, max_episode_steps=steps + 1)
    obs, _ = env.reset(seed=int(rng.integers(2**31)), options={"state": [[start, 0.0, 0.0, 0.0]]})
    states, falls = [], []
    for t in range(steps):
        states.append(env.state[0])
        obs, _, _, _, info = env.step(act(obs, rng, t))
        falls.append(bool(info["fell"][0]))
    return Drive(np.array(states), np.array(falls))


def draw_track(ax):
    """The road on matplotlib axes.  Returns ax."""
    s = np.linspace(0, LENGTH, 1500)
    left, right = (np.column_stack(place(s, side)[:2]) for side in (HALF_WIDTH, -HALF_WIDTH))
    ax.fill(*np.concatenate([left, right[::-1]]).T, color=np.array(ASPHALT) / 255, alpha=0.35, lw=0)
    for side in (left, right):
        ax.plot(*side.T, color="0.3", lw=0.8)
    ax.set(aspect="equal", xticks=[], yticks=[])
    return ax


def draw_drive(ax, run, title=""):
    """The track, where a kart went on it, and a cross at each fall.  Returns ax."""
    draw_track(ax)
    xy = np.column_stack(place(run.state[:, 0], run.state[:, 1])[:2])
    legs = np.stack([xy[:-1], xy[1:]], axis=1)[~run.fell[:-1]]  # not from where it fell to where it was put back
    ax.add_collection(LineCollection(legs, colors=[np.array(KART) / 255], lw=1.8))
    ax.plot(*xy[run.fell].T, "x", color=np.array(FALL) / 255, ms=10, mew=2.5)
    ax.set_title(f"{title}: {run.fell.sum()} falls" if title else f"{run.fell.sum()} falls")
    return ax


class Animation:
    """A moving picture with alternative text; a still one where the reader's system asks for little motion."""

    def __init__(self, frames, alt, caption, seconds):
        if not alt.strip():
            raise ValueError("every animation needs an alt text that says what is to be seen")
        self.alt, self.caption = alt, caption
        self.gif, self.still = _encoded(frames, seconds), _encoded(frames[-1:], seconds)

    def _repr_mimebundle_(self, **_):
        alt, caption = html.escape(self.alt, quote=True), html.escape(self.caption)
        still = f'<source media="(prefers-reduced-motion: reduce), print" srcset="data:image/gif;base64,{self.still}">'
        moving = f'<img alt="{alt}" style="max-width:100%" src="data:image/gif;base64,{self.gif}">'
        under = f"<figcaption>{caption}</figcaption>" if caption else ""
        return {
            "text/html": f'<figure style="margin:0"><picture>{still}{moving}</picture>{under}</figure>',
            "text/plain": f"[animation: {self.alt}]",
        }


def _encoded(frames, seconds):
    buffer = io.BytesIO()
    rest = dict(save_all=True, append_images=frames[1:], duration=round(1000 * seconds), loop=0) if frames[1:] else {}
    frames[0].save(buffer, format="GIF", optimize=True, **rest)
    return base64.b64encode(buffer.getvalue()).decode()


def animate(runs, alt, caption="", width=380, every=2):
    """Drives side by side as an Animation; runs: title → Drive.  Falls stay marked, and are counted."""
    if len({len(run.state) for run in runs.values()}) != 1:
        raise ValueError("an animation needs one drive or more, all of the same length")
    _, line = _middle()
    low, high = line[:, :2].min(axis=0) - 6, line[:, :2].max(axis=0) + 6
    scale = width / (high - low)[0]
    height = round((high - low)[1] * scale) + 20

    def at(xy):
        return [tuple(point) for point in np.column_stack([xy[:, 0] - low[0], high[1] - xy[:, 1]]) * scale + [0, 20]]

    s = np.arange(0, LENGTH + 0.25, 0.25)
    left, right = (np.column_stack(place(s, side)[:2]) for side in (HALF_WIDTH, -HALF_WIDTH))
    blank = Image.new("RGB", (width, height), GRASS)
    road = ImageDraw.Draw(blank)
    for i in range(len(s) - 1):
        road.polygon(at(np.array([left[i], left[i + 1], right[i + 1], right[i]])), fill=(150, 150, 155))
    poses = {title: np.array([_pose(state) for state in run.state]) for title, run in runs.items()}
    frames = []
    for t in range(0, len(next(iter(runs.values())).state), every):
        until = t + every  # falls before the next frame, so that the last one has them all
        frame = Image.new("RGB", (width * len(runs), height), "white")
        for k, (title, run) in enumerate(runs.items()):
            panel = blank.copy()
            draw = ImageDraw.Draw(panel)
            for u, v in at(poses[title][:until][run.fell[:until], :2]):
                draw.line([u - 5, v - 5, u + 5, v + 5], fill=FALL, width=3)
                draw.line([u - 5, v + 5, u + 5, v - 5], fill=FALL, width=3)
            x, y, θ = poses[title][t]
            turn = np.array([[np.cos(θ), np.sin(θ)], [-np.sin(θ), np.cos(θ)]])
            draw.polygon(at(np.array([x, y]) + 1.5 * SHAPE @ turn), fill=KART, outline=EDGE)
            draw.rectangle([0, 0, width, 19], fill="white")
            draw.text((6, 3), f"{title}: {int(run.fell[:until].sum())} falls", fill="black", font_size=14)
            frame.paste(panel, (k * width, 0))
        frames.append(frame.quantize(32, dither=Image.Dither.NONE))
    return Animation(frames, alt, caption, every * DT / 2)
