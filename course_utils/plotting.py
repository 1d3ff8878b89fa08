"""Figures with a description, and pictures of gridworlds.  Axes in, axes out."""

import base64
import html
import io

import matplotlib.pyplot as plt
import numpy as np


class Figure:
    """A finished picture that shows itself in a notebook together with its alternative text."""

    def __init__(self, png, alt, caption):
        self.png, self.alt, self.caption = png, alt, caption

    def _repr_mimebundle_(self, **_):
        alt, caption = html.escape(self.alt, quote=True), html.escape(self.caption)
        image = f'<img alt="{alt}" style="max-width:100%" src="data:image/png;base64,{self.png}">'
        under = f"<figcaption>{caption}</figcaption>" if caption else ""
        return {
            "text/html": f'<figure style="margin:0">{image}{under}</figure>',
            "text/plain": f"[figure: {self.alt}]",
        }


def show(fig, alt, caption=""):
    """The matplotlib figure as a displayable with alternative text; as the last expression of a cell.

    alt says what is to be seen to somebody who cannot see it; it must not be empty.
    """
    if not alt.strip():
        raise ValueError("every figure needs an alt text that says what is to be seen")
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=110, bbox_inches="tight", facecolor="white")
    plt.close(fig)
    return Figure(base64.b64encode(buffer.getvalue()).decode(), alt, caption)


def draw_grid(ax, world, values, title="", cmap="viridis", limits=None, numbers=False, colorbar=True):
    """A heat map of values[s] on the map of a GridWorld; walls are hatched grey.  Returns ax."""
    picture = world.picture(values)
    low, high = limits if limits is not None else (np.nanmin(picture), np.nanmax(picture))
    ax.patch.set(facecolor="0.75", hatch="////", edgecolor="0.5", lw=0)  # shows through where there is no state
    image = ax.imshow(picture, cmap=cmap, vmin=low, vmax=high)
    if numbers:
        for row, column in world.cells:
            value = picture[row, column]
            dark = (value - low) / (high - low or 1) < 0.6
            ax.text(column, row, f"{value:.2g}", ha="center", va="center", color="w" if dark else "k", fontsize=8)
    for row, column in world.cells[world.mdp.terminal]:
        ax.add_patch(plt.Rectangle((column - 0.45, row - 0.45), 0.9, 0.9, fill=False, edgecolor="red", lw=2))
    ax.set(title=title, xticks=[], yticks=[])
    if colorbar:
        ax.figure.colorbar(image, ax=ax, shrink=0.75)
    return ax
