import base64
import re

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from course_utils.gridworlds import gridworld
from course_utils.plotting import draw_grid, show

matplotlib.use("Agg")


def test_a_figure_carries_its_description_escaped_and_is_closed():
    fig, ax = plt.subplots()
    ax.plot([1, 2])
    bundle = show(fig, alt='a line "from" 1 < 2 & up', caption="<b>fig</b>")._repr_mimebundle_()
    alt, image = re.search(r'<img alt="([^"]*)".*base64,([^"]+)"', bundle["text/html"]).groups()
    assert alt == "a line &quot;from&quot; 1 &lt; 2 &amp; up"
    assert base64.b64decode(image).startswith(b"\x89PNG")
    assert "<figcaption>&lt;b&gt;fig&lt;/b&gt;</figcaption>" in bundle["text/html"]
    assert bundle["text/plain"] == '[figure: a line "from" 1 < 2 & up]'
    assert not plt.fignum_exists(fig.number)
    with pytest.raises(ValueError, match="alt text"):
        show(plt.figure(), alt=" ")


def test_a_grid_is_drawn_where_it_is():
    world = gridworld(["S.#", ".#G"], horizon=3)
    fig, left = plt.subplots()
    values = np.array([1.0, 2.0, 3.0, 4.0])
    assert draw_grid(left, world, values, title="t", numbers=True) is left
    drawn = left.images[0].get_array()
    assert np.array_equal(np.ma.filled(drawn, np.nan), world.picture(values), equal_nan=True)
    assert sorted(text.get_text() for text in left.texts) == ["1", "2", "3", "4"]
    plt.close(fig)
