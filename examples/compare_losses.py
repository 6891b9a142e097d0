"""The softmax beside the other losses of linear classifiers, on handwritten digits: a table, and a picture of both."""

from pathlib import Path

from sklearn.datasets import load_digits

import luce


def main(path=Path("build/compare_losses.png")):
    """Print the table; save the picture where matplotlib is there."""
    comparison = luce.compare(*load_digits(return_X_y=True), C=0.1)
    print(comparison)
    print("\nWhat a row with a margin of -2 costs, and how hard it pulls:")
    for name, (loss, gradient) in comparison.losses(-2.0).items():
        print(f"{name:>20}   loss {loss:.3f}   derivative {gradient:.3f}")
    try:
        figure = comparison.plot()
    except ImportError as error:
        print(error)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    print(f"\nsaved {path}")


if __name__ == "__main__":
    main()
