"""The drawings in `figures/` are what the program draws."""

from pathlib import Path

from tools.maintainers import draw_figures

ROOT = Path(__file__).parents[1]


def test_every_drawing_can_be_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(draw_figures, "FOLDER", tmp_path)
    draw_figures.main()
    stored = sorted(path.name for path in (ROOT / "figures").glob("*.svg"))
    assert sorted(path.name for path in tmp_path.iterdir()) == stored
    for name in stored:
        assert (tmp_path / name).read_bytes() == (ROOT / "figures" / name).read_bytes(), name
