"""The model card of an embedded backbone, written by the run that trained it (Mitchell et al., FAccT 2019)."""

from tlhelpers.metrics import wilson_interval


def model_card(result: dict, note: str = "") -> str:
    """Markdown from what `tlcourse.pretraining.pretrain` returned; `note` says what the numbers do not."""
    recipe, history = result["recipe"], result["history"]
    top1 = wilson_interval(result["val_top1"], result["val_images"])
    phases = "\n".join(
        f"| {p['epochs']} | {p['pixels']} | {p['smallest_crop']:g} | {p['label_smoothing']:g} |"
        for p in recipe["phases"]
    )
    epochs = "\n".join(
        f"| {h['epoch']} | {h['pixels']} | {h['loss']:.3f} | {h['val_top1']:.1%} | {h['seconds']:.0f} |"
        for h in history
    )
    rest = ", ".join(f"{name} {value:g}" for name, value in recipe.items() if name != "phases")
    return f"""# {result["name"]}

A residual network for photos of 64 pixels, small enough to travel with the package: ResNet-10 (He et al., CVPR 2016) of
width {result["width"]}, a stem of stride 2, four basic blocks, {8 * result["width"]} features; with a head for
{len(result["classes"])} classes.
The convolutions and the head are stored as float16.

**Result.** Top-1 on {result["val_images"]:,} validation photos of {len(result["classes"])} classes: {top1}.

**Data.** {result["train_images"]:,} training photos of Tiny ImageNet (64 px, a part of ImageNet; for research and
teaching). Labels and biases are those of ImageNet: many breeds of dogs, few of cats, and photos from the web of the
years before 2010.

**Use.** To teach transfer learning without downloads. It is no network for products; 64 pixels miss small things.

## Recipe

SGD with Nesterov momentum, a linear warm-up and half a cosine; random resized crops, flips, brightness, contrast, some
grey images. {rest}. PyTorch {result["torch"]}, {result["machine"]}.

| epochs | pixels | smallest crop (fraction of the area) | label smoothing |
| --- | --- | --- | --- |
{phases}

{note}

## Epochs

The validation photos have 64 pixels throughout; in the first phases the network knows smaller ones.

| epoch | pixels | loss (nats) | top-1 | seconds |
| --- | --- | --- | --- | --- |
{epochs}

Train it again: `tlcourse pretrain {result["name"]} --data FOLDER --out OUT`, with Tiny ImageNet in FOLDER as
`train*.npz`, `val*.npz` and `classes.tsv` (WebP bytes in `data`, `offsets`, `labels`).
""".replace("\n\n\n\n", "\n\n")
