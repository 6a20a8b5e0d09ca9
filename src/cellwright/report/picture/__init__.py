"""An estate as a picture: sites, links, datasets, and where regulations let the data go."""

from cellwright.report.picture.poster import draw_svg
from cellwright.report.picture.scene import Scene, scene
from cellwright.report.picture.sheet import draw_html

__all__ = ["Scene", "draw_html", "draw_svg", "scene"]
