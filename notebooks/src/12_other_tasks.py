# %% [markdown] lang="en"
# # One backbone, other questions
#
# **{Framework}** · about 45 minutes · before this: [03a Fine-tuning](03a_fine_tuning_{framework}.ipynb) and
# [06a Measuring a model](06a_measuring_a_model_{framework}.ipynb).
#
# So far we asked each picture one thing: what is it? But one may ask *where* it is, *which pixels* belong to it, *how
# far* it has turned its head. After this lesson you can
#
# - put heads for boxes, numbers and masks on a backbone that was trained to name things;
# - say what averaging over the picture throws away, and read the feature maps so that it is kept;
# - write a **decoder** of about twenty lines that turns feature maps into a mask, and train it on a frozen backbone,
#   with one that is fine-tuned, and from scratch;
# - build a small **detector** for pictures with several animals, and clear its duplicates away;
# - compute IoU and **mAP** as the COCO benchmark defines them, and give every number its baseline.

# %% [markdown] lang="es"
# # Una red base, otras preguntas
#
# **{Framework}** · unos 45 minutos · antes: [03a Ajuste fino](03a_fine_tuning_{framework}.ipynb) y
# [06a Medir un modelo](06a_measuring_a_model_{framework}.ipynb).
#
# Hasta ahora a cada imagen le hemos preguntado una sola cosa: ¿qué es? Pero también se puede preguntar *dónde* está,
# *qué píxeles* le pertenecen o *cuánto* ha girado la cabeza. Al terminar podrá:
#
# - poner cabezas para recuadros, números y máscaras sobre una red base que aprendió a nombrar cosas;
# - decir qué se pierde al promediar sobre la imagen, y leer los mapas de características sin perderlo;
# - escribir un **decodificador** de unas veinte líneas que convierte mapas en una máscara, y entrenarlo sobre una red
#   base congelada, sobre una con ajuste fino y desde cero;
# - construir un **detector** pequeño para imágenes con varios animales, y quitarle los duplicados;
# - calcular la IoU y la **mAP** como las define COCO, y dar a cada número su referencia.

# %% tags=["parameters"]
SEED = 0
BACKBONE = "mini_resnet_narrow"  # or "mini_resnet", "efficientnet_lite0"
IMAGE_SIZE = 64  # side of the pictures of one animal, in pixels
PETS = 680  # drawings of one animal: 60 % to learn from, 10 % to stop by, 30 % to test on
FEW = 25  # labelled masks, those that decide when to stop among them
MANY = 100  # the same, more of them
TRAIN_SIZE = 32  # side of the pictures with which whole networks are trained, in pixels
DRAWS = 2  # how often other pictures are labelled, with other first weights
SCENES = 360  # pictures of several animals, half as wide again; divided like the others
ROUNDS = 100  # at most so many rounds of training, of 20 steps each
PATIENCE = 6  # rounds without a lower validation loss, after which training stops
RATE = 0.003  # learning rate of new layers
TUNE_RATE = 0.001  # learning rate where pretrained layers learn too

# %%
# %matplotlib inline
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.special import expit

from tlhelpers import plots
from tlhelpers.drawn_pets import draw_pets
from tlhelpers.numbers import percent
from tlhelpers.quiz import show_quiz

folder = Path(tempfile.mkdtemp())
show_quiz("12_other_tasks/before", LANGUAGE)

# %% framework="pytorch"
import copy

import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader, RandomSampler, TensorDataset
from torchvision import models, ops
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.transforms import v2

from tlhelpers.pytorch.mini_resnet import MiniResNetNarrow_Weights, mini_resnet_narrow
from tlhelpers.pytorch.networks import load_network

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
tensor = torch.as_tensor  # from an array to what PyTorch computes with
set_seed = torch.manual_seed

# %% framework="tensorflow"
import functools

import keras
import tensorflow as tf
from keras import layers, ops

from tlhelpers.tensorflow.networks import load_network

ON_GPU = bool(tf.config.list_physical_devices("GPU"))
tensor = tf.convert_to_tensor  # from an array to what TensorFlow computes with
set_seed = keras.utils.set_random_seed

# %% [markdown] lang="en"
# ## 1. Five questions about one picture
#
# The pets are drawn by the course, so it knows the truth about each picture without anybody who labels. `truth=True`
# asks for it:
#
# - the **box** of the head with its ears: left, top, right and bottom, as fractions of the picture's side;
# - the [**mask**](../../docs/glossary.md#mask): for each pixel, whether it belongs to the animal;
# - and, among the factors of the drawing, how far the head is **turned** and how **large** it is.
#
# With the species that makes five questions. A mirrored drawing is turned to the other side, so for `flip` the turn
# changes its sign. Whoever forgets that trains on wrong labels, and no error message tells.

# %% [markdown] lang="es"
# ## 1. Cinco preguntas sobre una imagen
#
# Las mascotas las dibuja el curso, así que conoce la verdad de cada imagen sin que nadie la etiquete. Se pide con
# `truth=True`:
#
# - el **recuadro** de la cabeza con sus orejas: izquierda, arriba, derecha y abajo, en fracciones del lado de la
#   imagen;
# - la [**máscara**](../../docs/glosario.md#máscara): para cada píxel, si pertenece al animal;
# - y, entre los factores del dibujo, cuánto está **girada** la cabeza y qué **tamaño** tiene.
#
# Con la especie son cinco preguntas. Un dibujo reflejado está girado hacia el otro lado, así que con `flip` el giro
# cambia de signo. Quien lo olvide entrenará con etiquetas erróneas, y ningún mensaje de error le avisará.

# %%
pets = draw_pets(PETS, seed=SEED + 1200, size=IMAGE_SIZE, truth=True)
learn_rows, stop_rows, test_rows = np.split(np.arange(PETS), [6 * PETS // 10, 7 * PETS // 10])
turn = np.array([np.degrees(-f.yaw if f.flip else f.yaw) for f in pets.factors])  # as it is seen
radius = np.array([100 * f.scale for f in pets.factors])  # in % of the picture's side
truth = np.column_stack([pets.boxes, turn, radius]).astype("float32")  # six numbers a picture


def draw_box(ax, box, colour, style="-", width=2):
    """A box in fractions of the side, on a picture of that axes."""
    side = ax.images[0].get_array().shape[0]
    left, top, right, bottom = side * np.asarray(box) - 0.5
    ax.autoscale(False)
    ax.plot([left, right, right, left, left], [top, top, bottom, bottom, top], style, color=colour, linewidth=width)


axes = plots.show_images(pets.images[:5], [f"{turn[i]:+.0f}°, {radius[i]:.0f} %" for i in range(5)], side=1.0)
for ax, box, mask in zip(axes.flat, pets.boxes, pets.masks):
    draw_box(ax, box, plots.COLOURS[1])
    ax.contour(mask, [0.5], colors="white", linewidths=1.5)

# %% [markdown] lang="en"
# *White: the outline of the mask. Orange: the head's box. Above each picture: how far the head is turned as you see it,
# and its radius in % of the picture's side.*
#
# ## 2. What an average cannot know
#
# The [backbone](../../docs/glossary.md#backbone) learnt to name things in photos. We cut it where its maps become
# smaller and keep the last three sizes of [feature maps](../../docs/glossary.md#feature-map), from fine to coarse. It
# stays frozen; each picture passes through it once. Beside it stands its **twin** with random weights, the control.

# %% [markdown] lang="es"
# *Blanco: el contorno de la máscara. Naranja: el recuadro de la cabeza. Encima de cada imagen: cuánto está girada la
# cabeza tal como se ve, y su radio en % del lado de la imagen.*
#
# ## 2. Lo que un promedio no puede saber
#
# La [red base](../../docs/glosario.md#red-base) aprendió a nombrar cosas en fotos. La cortamos donde sus mapas se hacen
# más pequeños y nos quedamos con los tres últimos tamaños de [mapas de
# características](../../docs/glosario.md#mapa-de-características), de finos a gruesos. Queda congelada; cada imagen
# pasa por ella una sola vez. A su lado está su **gemela** con pesos al azar, que sirve de control.


# %% framework="pytorch"
class Backbone(nn.Module):
    """A network without its head: from pixels to maps of three sizes, from fine to coarse."""

    def __init__(self, network):
        super().__init__()
        if BACKBONE == "efficientnet_lite0":
            start, blocks = [network.conv_stem, network.bn1], network.blocks
            parts = [[*start, *blocks[:3]], blocks[3:5], [*blocks[5:], network.conv_head, network.bn2]]
        else:  # a ResNet
            start = [network.conv1, network.bn1, network.relu, network.maxpool, network.layer1]
            parts = [[*start, network.layer2], [network.layer3], [network.layer4]]
        self.parts = nn.ModuleList(nn.Sequential(*part) for part in parts)

    def forward(self, x):
        maps = [x]
        for part in self.parts:
            maps.append(part(maps[-1]))
        return tuple(maps[1:])


# %% framework="tensorflow"
ENDS = {"efficientnet_lite0": ["blocks.2", "blocks.4", "bn2.act"]}.get(BACKBONE, ["layer2", "layer3", "layer4"])
NARROW = {"width": 16} if BACKBONE == "mini_resnet_narrow" else {}  # of MiniResNet: half the channels of mini_resnet


def backbone_of(pretrained=True, size=None):
    """A network without its head: from pixels to maps of three sizes, from fine to coarse; for any size of pictures."""
    name = BACKBONE.removesuffix("_narrow")
    network, _ = load_network(name, size, pretrained, include_top=False, **NARROW)
    return keras.Model(network.input, [network.get_layer(end).output for end in ENDS])


# %% framework="pytorch"
def backbone_of(pretrained=True):
    if BACKBONE == "mini_resnet_narrow":
        return Backbone(mini_resnet_narrow(weights="DEFAULT" if pretrained else None))
    return Backbone(load_network(BACKBONE, pretrained)[0])


narrow = MiniResNetNarrow_Weights.DEFAULT
prepare = narrow.transforms() if BACKBONE == "mini_resnet_narrow" else load_network(BACKBONE)[1]
normalize = next(step for step in prepare.transforms if isinstance(step, v2.Normalize))


def pixels_of(images):
    """Pictures as the network takes them, `(n, 3, h, w)`; they keep their size."""
    return normalize(torch.from_numpy(images).permute(0, 3, 1, 2) / 255).numpy()


@torch.inference_mode()
def maps_of(backbone, images):
    """Its maps for pictures, arrays `(n, channels, h, w)`."""
    batches = torch.from_numpy(pixels_of(images)).split(64)
    found = [backbone.to(device).eval()(x.to(device)) for x in batches]
    return [torch.cat(maps).cpu().numpy() for maps in zip(*found)]


# %% framework="tensorflow"
_, prepare = load_network(BACKBONE.removesuffix("_narrow"), IMAGE_SIZE, pretrained=False, include_top=False)


def pixels_of(images):
    """Pictures as the network takes them, `(n, h, w, 3)`; they keep their size."""
    return np.asarray(prepare(images.astype("float32")))


def maps_of(backbone, images):
    """Its maps for pictures, arrays `(n, h, w, channels)`."""
    return backbone.predict(pixels_of(images), batch_size=64, verbose=0)


# %%
set_seed(SEED)
backbones = {"pretrained": backbone_of(), "random": backbone_of(pretrained=False)}
maps = {name: maps_of(backbone, pets.images) for name, backbone in backbones.items()}
print([m.shape for m in maps["pretrained"]])

# %% [markdown] lang="en"
# For a class, lesson 01 took the **average** of each map over all its places ([global average
# pooling](../../docs/glossary.md#global-average-pooling)). What does an average not know? Take the cells of the last
# maps and shuffle them, all maps in the same way. The cat's ear is now where its chin was. What happens to the
# averages?

# %% [markdown] lang="es"
# Para una clase, la lección 01 tomaba el **promedio** de cada mapa en todos sus lugares ([agrupación por promedio
# global](../../docs/glosario.md#agrupación-por-promedio-global)). ¿Qué no sabe un promedio? Tome las celdas de los
# últimos mapas y barájelas, en todos los mapas igual. La oreja del gato está ahora donde estaba su barbilla. ¿Qué les
# pasa a los promedios?


# %% framework="pytorch"
def averages_of(maps):
    """One number a map, `(n, channels)`."""
    return tensor(maps).mean((2, 3)).numpy()


last = tensor(maps["pretrained"][-1])
order = torch.randperm(last.shape[2] * last.shape[3])
shuffled = last.flatten(2)[:, :, order].reshape(last.shape)
print(words["maps_differ"], f"{(shuffled - last).abs().mean():.3f}")
print(words["averages_differ"], f"{np.abs(averages_of(shuffled) - averages_of(last)).max():.7f}")


# %% framework="tensorflow"
def averages_of(maps):
    """One number a map, `(n, channels)`."""
    return np.asarray(ops.mean(maps, axis=(1, 2)))


last = tensor(maps["pretrained"][-1])
order = np.random.default_rng(SEED).permutation(last.shape[1] * last.shape[2])
cells = ops.reshape(last, (len(last), -1, last.shape[3]))
shuffled = ops.reshape(ops.take(cells, order, axis=1), last.shape)
print(words["maps_differ"], f"{float(ops.mean(ops.abs(shuffled - last))):.3f}")
print(words["averages_differ"], f"{np.abs(averages_of(shuffled) - averages_of(last)).max():.7f}")

# %% [markdown] lang="en"
# Nothing. Whatever a head learns from averages, it must give the same answer for the shuffled maps. So it cannot tell
# *where*, unless the deeper layers have written the place into the *kind* of their answers.
#
# How much is lost? We put **one linear layer** on the averages, and one on all cells of the same maps, and let it
# answer six numbers: the box, the turn and the radius. Data, loss and training are equal. (Not equal is how many
# numbers each gets; the twin's maps and exercise 1 will show whether that is all.) The loss is the **mean squared
# error** of section 8 of [lesson 06a](06a_measuring_a_model_{framework}.ipynb), the rule of stopping that of all
# lessons.

# %% [markdown] lang="es"
# Nada. Aprenda lo que aprenda una cabeza de los promedios, con los mapas barajados tiene que responder lo mismo. Así
# que no puede decir *dónde*, salvo que las capas profundas hayan escrito el lugar en el *tipo* de sus respuestas.
#
# ¿Cuánto se pierde? Ponemos **una capa lineal** sobre los promedios y otra sobre todas las celdas de los mismos mapas,
# y le pedimos seis números: el recuadro, el giro y el radio. Los datos, la pérdida y el entrenamiento son iguales. (No
# lo es la cantidad de números que recibe cada una; los mapas de la gemela y el ejercicio 1 dirán si todo se debe a
# eso). La pérdida es el **error cuadrático medio** de la sección 8 de la
# [lección 06a](06a_measuring_a_model_{framework}.ipynb), y la regla para parar, la de todas las lecciones.


# %% framework="pytorch"
def train(model, loss_of, data, val, rate):
    """Rounds of 20 steps, until the loss on `val` no longer falls; the best weights come back."""
    optimizer = optim.AdamW(model.to(device).parameters(), lr=rate)
    schedule = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.3, patience=PATIENCE // 3)
    dataset, lowest, waited = TensorDataset(*map(tensor, data)), float("inf"), 0
    for _ in range(ROUNDS):
        model.train()
        for *x, y in DataLoader(dataset, 16, sampler=RandomSampler(dataset, num_samples=20 * 16)):
            loss = loss_of(model(*(part.to(device) for part in x)), y.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        val_loss = float(loss_of(tensor(answers_of(model, val[:-1])), tensor(val[-1])))
        schedule.step(val_loss)
        waited += 1
        if val_loss < lowest:
            lowest, best, waited = val_loss, copy.deepcopy(model.state_dict()), 0
        elif waited == PATIENCE:
            break
    model.load_state_dict(best)


# %% framework="tensorflow"
def train(model, loss, data, val, rate):
    """Rounds of 20 steps, until the loss on `val` no longer falls; the best weights come back."""
    if not model.compiled:  # compiled once: each `compile` makes the next step slow
        model.compile(keras.optimizers.AdamW(), loss=loss, jit_compile=ON_GPU)
    for variable in model.optimizer.variables:  # as new, for a second training with other weights
        variable.assign(ops.zeros_like(variable))
    model.optimizer.learning_rate = rate
    (x, y), (x_val, y_val) = ((part[0] if len(part) == 2 else tuple(part[:-1]), part[-1]) for part in (data, val))
    rounds = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(y)).repeat().batch(16).take(20)
    callbacks = [
        keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.3, patience=PATIENCE // 3),
        keras.callbacks.EarlyStopping("val_loss", patience=PATIENCE, restore_best_weights=True),
    ]
    val_batches = tf.data.Dataset.from_tensor_slices((x_val, y_val)).batch(64)
    model.fit(rounds, validation_data=val_batches, epochs=ROUNDS, callbacks=callbacks, shuffle=False, verbose=0)


# %% framework="pytorch"
def number_head(width):
    """One linear layer that answers six numbers."""
    return nn.Linear(width, 6)


number_loss = F.mse_loss


@torch.inference_mode()
def answers_of(model, inputs):
    """What a model says, as an array; `inputs` are one array or several, one for each argument."""
    model.to(device).eval()
    batches = zip(*(tensor(x).split(64) for x in inputs))
    return torch.cat([model(*(x.to(device) for x in batch)).cpu() for batch in batches]).numpy()


# %% framework="tensorflow"
known = {}  # models by their shapes, so that each is compiled once: the first step after `compile` takes seconds


def once(model):
    """The first model of these shapes, with the new weights of this one."""
    key = str([weight.shape for weight in model.weights]) + str(model.input_shape)
    known.setdefault(key, model).set_weights(model.get_weights())
    return known[key]


def number_head(width):
    """One linear layer that answers six numbers."""
    features = keras.Input((width,))
    return once(keras.Model(features, layers.Dense(6)(features)))


number_loss = keras.losses.MeanSquaredError()


def answers_of(model, inputs):
    """What a model says, as an array; `inputs` are one array or several, one for each input."""
    return model.predict(inputs[0] if len(inputs) == 1 else tuple(inputs), batch_size=64, verbose=0)


# %%
def standard(x):
    """Columns of mean 0 and spread 1 on what is learnt from; then rows of length about 1, however many columns."""
    x = x.reshape(len(x), -1)
    centre, spread = x[learn_rows].mean(0), x[learn_rows].std(0) + 0.01
    return ((x - centre) / spread / x.shape[1] ** 0.5).astype("float32")


MEAN, SPREAD = truth[learn_rows].mean(0), truth[learn_rows].std(0)


def read_numbers(features):
    """A linear head learns the six numbers from features; its answers for the test pictures."""
    x, y = standard(features), (truth - MEAN) / SPREAD
    set_seed(SEED)
    head = number_head(x.shape[1])
    train(head, number_loss, [x[learn_rows], y[learn_rows]], [x[stop_rows], y[stop_rows]], 10 * RATE)
    return answers_of(head, [x[test_rows]]) * SPREAD + MEAN


# %%
def overlaps(a, b):
    """IoU of each box of `a` `(n, 4)` with each of `b` `(m, 4)`: `(n, m)`."""
    sides = np.minimum(a[:, None, 2:], b[:, 2:]) - np.maximum(a[:, None, :2], b[:, :2])
    shared = sides.clip(0).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (a, b)]
    return shared / np.maximum(areas[0][:, None] + areas[1] - shared, 1e-12)


def report(name):
    """IoU of the boxes, and how well turn and radius are answered."""
    said, wanted = numbers[name], truth[test_rows]
    iou = np.array([overlaps(a[None], b[None]).item() for a, b in zip(said[:, :4], wanted[:, :4])])
    mse, mae = ((said - wanted) ** 2).mean(0), np.abs(said - wanted).mean(0)
    r2 = 1 - mse / wanted.var(0)
    print(f"{words[name]:>22}{100 * iou.mean():9.1f}{mse[4]:10.0f}{mae[4]:8.1f}{r2[4]:8.2f}{mae[5]:12.2f}{r2[5]:8.2f}")
    return {"iou": 100 * iou.mean(), "turn": r2[4], "radius": r2[5]}


# %%
last_maps = {origin: maps[origin][-1] for origin in maps}
numbers = {
    "always_mean": np.tile(MEAN, (len(test_rows), 1)),
    "averages_random": read_numbers(averages_of(last_maps["random"])),
    "maps_random": read_numbers(last_maps["random"]),
    "averages_pretrained": read_numbers(averages_of(last_maps["pretrained"])),
    "maps_pretrained": read_numbers(last_maps["pretrained"]),
}
print(f"{'':22}{words['box']:>9}{words['turn']:>26}{words['radius']:>20}")
print(f"{'':22}{'IoU':>9}{'MSE':>10}{'MAE':>8}{'R²':>8}{'MAE':>12}{'R²':>8}")
scores = {name: report(name) for name in numbers}
claim("maps_keep_the_place", scores["maps_pretrained"]["iou"] - scores["averages_pretrained"]["iou"])
claim("maps_keep_the_turn", scores["maps_pretrained"]["turn"] - scores["averages_pretrained"]["turn"])
claim("averages_know_the_size", scores["averages_pretrained"]["radius"])

# %% [markdown] lang="en"
# *Test pictures. IoU in points; MSE in squared degrees, MAE in degrees and in % of the side.
# [R²](../../docs/glossary.md#regression) is 0 for the mean and 1 for no error.*
#
# Read the table column by column. **Size** survives the average: how much of a picture is fur says how near the animal
# is. **Turn** does not: $R^2$ near 0 is what always answering the mean gets. And **box**: the averages are ahead of the
# mean box, which alone has an IoU of nearly 60 since the heads are large; but the maps are far ahead of them. The same
# numbers, with their places, do what they cannot do without. And it is not that they are many: the twin's maps are as
# many, and stay behind the averages of the pretrained ones.
#
# So the feature vector that sufficed for classes is a choice that was made *for* classes.
#
# **Your turn (1).** All cells are many numbers: sixteen times the averages, or more. There is something between. For
# each map compute its **centre of mass**: the mean place of its cells, each weighted by its value,
#
# $$x_k = \frac{\sum_{ij} m_{kij}\, u_j}{\sum_{ij} m_{kij}}, \qquad
# y_k = \frac{\sum_{ij} m_{kij}\, v_i}{\sum_{ij} m_{kij}},$$
#
# where $m_{kij}$ is the value of map $k$ in row $i$ and column $j$, and $u_j$, $v_i$ are the middles of column and row,
# as fractions of the side: with four columns 0.125, 0.375, 0.625 and 0.875. Write `centres_of(maps)`: first all $x$,
# then all $y$, two numbers a map. Values are 0 or more; a map may be 0 everywhere, and its centre must still be a
# number.

# %% [markdown] lang="es"
# *Imágenes de prueba. IoU en puntos; MSE en grados al cuadrado, MAE en grados y en % del lado.
# [R²](../../docs/glosario.md#regresión) es 0 para la media y 1 si no hay error.*
#
# Lea la tabla por columnas. El **tamaño** sobrevive al promedio: cuánto pelo hay en la imagen dice lo cerca que está el
# animal. El **giro** no: un $R^2$ cercano a 0 es lo que consigue responder siempre la media. Y el **recuadro**: los
# promedios superan al recuadro medio, que por sí solo tiene una IoU de casi 60 porque las cabezas son grandes; pero los
# mapas los superan a ellos con mucho. Los mismos números, con sus lugares, hacen lo que sin ellos no pueden. Y no es
# porque sean muchos: los mapas de la gemela son otros tantos, y quedan por detrás de los promedios preentrenados.
#
# Así que el vector de características que bastaba para las clases es una elección hecha *para* las clases.
#
# **Le toca a usted (1).** Todas las celdas son muchos números: dieciséis veces los promedios, o más. Hay algo
# intermedio. Calcule para cada mapa su **centro de masas**: el lugar medio de sus celdas, cada una con el peso de su
# valor,
#
# $$x_k = \frac{\sum_{ij} m_{kij}\, u_j}{\sum_{ij} m_{kij}}, \qquad
# y_k = \frac{\sum_{ij} m_{kij}\, v_i}{\sum_{ij} m_{kij}},$$
#
# donde $m_{kij}$ es el valor del mapa $k$ en la fila $i$ y la columna $j$, y $u_j$, $v_i$ son los centros de la columna
# y de la fila, en fracciones del lado: con cuatro columnas, 0.125, 0.375, 0.625 y 0.875. Escriba `centres_of(maps)`:
# primero todas las $x$ y después todas las $y$, dos números por mapa. Los valores son 0 o más; un mapa puede ser 0 en
# todas partes, y aun así su centro tiene que ser un número.

# %% [markdown] lang="en" framework="pytorch"
# `maps` is a tensor `(n, channels, h, w)`.

# %% [markdown] lang="en" framework="tensorflow"
# `maps` is a tensor `(n, h, w, channels)`.

# %% [markdown] lang="es" framework="pytorch"
# `maps` es un tensor `(n, canales, h, w)`.

# %% [markdown] lang="es" framework="tensorflow"
# `maps` es un tensor `(n, h, w, canales)`.


# %% tags=["folded"]
def check_centres(centres_of):
    """Maps of 2 rows and 4 columns, in three channels: one cell, two cells, and nothing at all."""
    maps = np.zeros((2, 3, 2, 4), "float32")
    maps[:, 0, 1, 3] = 5
    maps[:, 1, 0, 0], maps[:, 1, 1, 2] = 1, 3
    wanted = np.array([0.875, 0.5, 0.75, 0.625])  # x of the first two maps, then y
    found = centres_of(tensor(maps if FRAMEWORK == "pytorch" else maps.transpose(0, 2, 3, 1)))
    if found is None or np.shape(found) != (2, 6):
        print("✘", words["centres_shape"], None if found is None else tuple(np.shape(found)))
        return
    found = np.asarray(found, float)[0]
    rest = found[[0, 1, 3, 4]]
    if not np.isfinite(found).all():
        print("✘", words["centres_nan"], found.round(3).tolist())
    elif np.allclose(rest, wanted, atol=1e-3):
        print("✔", words["right"])
    elif np.allclose(rest, wanted[[2, 3, 0, 1]], atol=1e-3):
        print("✘", words["centres_swapped"])
    elif np.allclose(rest, [3, 1.5, 1, 0.75], atol=1e-3):
        print("✘", words["centres_cells"])
    else:
        print("✘", words["centres_wrong"], rest.round(3).tolist(), "≠", wanted.tolist())


# %% framework="pytorch"
def centres_of(maps):
    """Where each map is strong: `(n, 2 · channels)`, first all x, then all y."""
    # write here


check_centres(centres_of)


# %% framework="tensorflow"
def centres_of(maps):
    """Where each map is strong: `(n, 2 · channels)`, first all x, then all y."""
    # write here


check_centres(centres_of)


# %% framework="pytorch" tags=["solution"]
def centres_of(maps):
    maps = maps + 1e-6  # a map of zeros weighs all its cells alike
    rows, columns = maps.shape[2:]
    u, v = (torch.arange(columns) + 0.5) / columns, (torch.arange(rows) + 0.5) / rows
    total = maps.sum((2, 3))
    return torch.cat([(maps.sum(2) @ u) / total, (maps.sum(3) @ v) / total], 1)


check_centres(centres_of)


# %% framework="tensorflow" tags=["solution"]
def centres_of(maps):
    maps = maps + 1e-6  # a map of zeros weighs all its cells alike
    rows, columns = maps.shape[1:3]
    u, v = (ops.arange(columns, dtype="float32") + 0.5) / columns, (ops.arange(rows, dtype="float32") + 0.5) / rows
    total = ops.sum(maps, (1, 2))
    x, y = ops.einsum("nijk,j->nk", maps, u), ops.einsum("nijk,i->nk", maps, v)
    return ops.concatenate([x / total, y / total], 1)


check_centres(centres_of)

# %%
found = np.asarray(centres_of(tensor(last_maps["pretrained"])))
numbers["centres"] = read_numbers(np.concatenate([found, averages_of(last_maps["pretrained"])], 1))
scores["centres"] = report("centres")
claim("centres_lie_between", scores["centres"]["iou"] - scores["averages_pretrained"]["iou"])

axes = plots.show_images(pets.images[test_rows[:5]], side=1.0)
for i, ax in enumerate(axes.flat):
    draw_box(ax, truth[test_rows[i], :4], "white", width=3)
    draw_box(ax, numbers["averages_pretrained"][i, :4], plots.COLOURS[1], "--")
    draw_box(ax, numbers["maps_pretrained"][i, :4], plots.COLOURS[5], "-.")

# %% [markdown] lang="en"
# *White: the true box. Orange, dashed: from averages. Blue, dash-dotted: from the maps.*
#
# Averages and centres together are three numbers a map instead of sixteen, and go a good part of the way. So it is the
# places that count, more than the number of numbers. (Finn et al. steer robots with such points.)
#
# ## 3. A mask is a class for each pixel
#
# [Segmentation](../../docs/glossary.md#segmentation) asks for every pixel what it belongs to. Here there are two
# classes, animal and all else. If the backbone's maps know what lies where, then a **linear layer for each cell** must
# find the animal: a 1 × 1 convolution, the same weights at each place, and the coarse answers made as large as the
# picture. This is the linear [probe](../../docs/glossary.md#linear-probe) of lesson 02a, asked at each place. We give
# it `FEW` labelled masks, a quarter of which decide when to stop, and repeat it with other ones a few times.

# %% [markdown] lang="es"
# *Blanco: el recuadro verdadero. Naranja, a rayas: con promedios. Azul, raya y punto: con los mapas.*
#
# Promedios y centros son juntos tres números por mapa en lugar de dieciséis, y recorren buena parte del camino. Así que
# cuentan los lugares, más que la cantidad de números. (Finn et al. guían robots con puntos así).
#
# ## 3. Una máscara es una clase por píxel
#
# La [segmentación](../../docs/glosario.md#segmentación) pregunta de cada píxel a qué pertenece. Aquí hay dos clases: el
# animal y todo lo demás. Si los mapas de la red base saben qué hay en cada lugar, una **capa lineal en cada celda**
# tiene que encontrar al animal: una convolución de 1 × 1, con los mismos pesos en todos los lugares, y las respuestas
# gruesas ampliadas al tamaño de la imagen. Es la [sonda lineal](../../docs/glosario.md#sonda-lineal) de la lección 02a,
# preguntada en cada lugar. Le damos `FEW` máscaras etiquetadas, de las que una cuarta parte decide cuándo parar, y
# repetimos con otras `FEW` unas cuantas veces.


# %% framework="pytorch"
class MaskProbe(nn.Module):
    """One linear layer at each place of each map; their answers, enlarged, are added up to one logit a pixel."""

    def __init__(self, maps, size):
        super().__init__()
        self.sides = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(m.shape[1]), nn.Conv2d(m.shape[1], 1, kernel_size=1)) for m in maps
        )
        self.enlarge = nn.Upsample(size=(size, size), mode="bilinear")

    def forward(self, *maps):
        return sum(self.enlarge(side(m)) for side, m in zip(self.sides, maps))[:, 0]


mask_loss = F.binary_cross_entropy_with_logits


# %% framework="tensorflow"
def MaskProbe(maps, size):
    """One linear layer at each place of each map; their answers, enlarged, are added up to one logit a pixel."""
    inputs, said = [keras.Input(m.shape[1:]) for m in maps], []
    for m in inputs:
        side = layers.Conv2D(1, kernel_size=1)(layers.BatchNormalization(momentum=0.9)(m))
        said.append(layers.UpSampling2D(size // m.shape[1], interpolation="bilinear")(side))
    return once(keras.Model(inputs, layers.Reshape((size, size))(layers.Add()(said))))


mask_loss = keras.losses.BinaryCrossentropy(from_logits=True)

# %% [markdown] lang="en"
# **Your turn (2).** To measure we need the IoU of two masks: pixels that both have, divided by pixels that at least one
# of them has. Write `mask_iou(logits, masks)` for tensors `(n, h, w)`: one number a picture. A pixel counts as animal
# where its probability is above one half; `masks` holds 0 and 1.

# %% [markdown] lang="es"
# **Le toca a usted (2).** Para medir necesitamos la IoU de dos máscaras: los píxeles que tienen ambas, divididos entre
# los que tiene al menos una. Escriba `mask_iou(logits, masks)` para tensores `(n, h, w)`: un número por imagen. Un
# píxel cuenta como animal si su probabilidad supera un medio; `masks` contiene 0 y 1.


# %% tags=["folded"]
def check_mask_iou(mask_iou):
    """Four masks: equal, half as large, twice as large, elsewhere; some logits are small, but above 0."""
    masks, logits = np.zeros((4, 6, 8), "float32"), np.full((4, 6, 8), -3, "float32")
    masks[:, 1:5, 2:6] = 1
    logits[0, 1:5, 2:6], logits[1, 1:5, 2:4], logits[2, 1:5, :], logits[3, 5, 6:] = 0.2, 4, 3, 2
    wanted, found = np.array([1, 0.5, 0.5, 0]), mask_iou(tensor(logits), tensor(masks))
    said, real = logits > 0, masks > 0
    whole = (said & real).sum() / (said | real).sum()
    if found is None or np.shape(found) not in ((4,), ()):
        print("✘", words["mask_shape"], None if found is None else tuple(np.shape(found)))
        return
    found = np.asarray(found, float)
    if found.shape == ():
        print("✘", words["mask_whole" if np.allclose(found, whole, atol=1e-3) else "mask_scalar"], found.round(3))
    elif np.allclose(found, wanted, atol=1e-3):
        print("✔", words["right"])
    elif found[0] < 0.5:
        print("✘", words["mask_threshold"])
    elif np.allclose(found, [1, 2 / 3, 2 / 3, 0], atol=1e-3):
        print("✘", words["mask_dice"])
    elif np.allclose(found, (said == real).mean((1, 2)), atol=1e-3):
        print("✘", words["mask_accuracy"])
    else:
        print("✘", words["mask_wrong"], found.round(3).tolist(), "≠", wanted.tolist())


# %% framework="pytorch"
def mask_iou(logits, masks):
    """IoU of each predicted mask with the true one, `(n,)`."""
    # write here


check_mask_iou(mask_iou)


# %% framework="tensorflow"
def mask_iou(logits, masks):
    """IoU of each predicted mask with the true one, `(n,)`."""
    # write here


check_mask_iou(mask_iou)


# %% framework="pytorch" tags=["solution"]
def mask_iou(logits, masks):
    said, real = logits > 0, masks > 0.5  # a probability above one half is a logit above 0
    return (said & real).sum((1, 2)) / (said | real).sum((1, 2))


check_mask_iou(mask_iou)


# %% framework="tensorflow" tags=["solution"]
def mask_iou(logits, masks):
    said, real = logits > 0, masks > 0.5  # a probability above one half is a logit above 0
    both, either = ops.logical_and(said, real), ops.logical_or(said, real)
    return ops.count_nonzero(both, (1, 2)) / ops.count_nonzero(either, (1, 2))


check_mask_iou(mask_iou)


# %%
def mean_iou(logits, masks):
    """Mean IoU over pictures, in points."""
    return 100 * float(np.asarray(mask_iou(tensor(logits), tensor(masks.astype("float32")))).mean())


masks = pets.masks.astype("float32")
probed, logits = {"always_mean": [], "random": [], "pretrained": []}, {}
for draw in range(2 * DRAWS):
    few = np.random.default_rng(100 * SEED + draw).permutation(learn_rows)[:FEW]
    mean_mask = np.tile(masks[few].mean(0) - 0.5, (len(test_rows), 1, 1))
    probed["always_mean"].append(mean_iou(mean_mask, masks[test_rows]))
    for origin in ("random", "pretrained"):
        set_seed(100 * SEED + draw)
        probe = MaskProbe(maps[origin], IMAGE_SIZE)
        parts = [[*(m[rows] for m in maps[origin]), masks[rows]] for rows in (few[FEW // 4 :], few[: FEW // 4])]
        train(probe, mask_loss, *parts, RATE)
        logits[origin] = answers_of(probe, [m[test_rows] for m in maps[origin]])
        probed[origin].append(mean_iou(logits[origin], masks[test_rows]))
for name, values in probed.items():
    print(f"{words[name]:>22} {words['mask_iou']} {np.mean(values):.1f}", np.round(values, 1).tolist())
claim("maps_know_the_animal", np.mean(probed["pretrained"]) - np.mean(probed["random"]))

# %%
shown = test_rows[:5]
chances = [masks[shown], expit(logits["random"][:5]), expit(logits["pretrained"][:5])]
pictures = [pets.images[shown] / 255, *(np.repeat(chance[..., None], 3, -1) for chance in chances)]
axes = plots.show_images(np.concatenate(pictures), columns=5, side=0.9)
for ax, name in zip(axes[:, 0], ("picture", "truth", "random", "pretrained")):
    ax.text(-4, IMAGE_SIZE / 2, words[name], ha="right", va="center", fontsize=8)

# %% [markdown] lang="en"
# *Rows: test pictures, true masks, and what the linear layer makes of the twin's maps and of the pretrained ones. White
# is a probability of 1.*
#
# With some two dozen labelled pictures and one linear layer the animal stands out of the background. Nobody taught the
# backbone what a mask is: it learnt to say "Egyptian cat", and on the way its maps came to answer differently to fur
# than to grass. The controls matter here. A mask that never looks at the picture already has an IoU above 60, since the
# animal stands in the middle, and the twin is only some points above that. Quoted without both, "IoU 0.85" means
# little.
#
# ## 4. A decoder of twenty lines
#
# The probe decides in each cell alone and enlarges coarse answers, so its edges are soft. A
# [**decoder**](../../docs/glossary.md#decoder) does better: it starts from the coarsest map, which knows best *what* is
# there, doubles it, adds the next finer one, which knows best *where*, and lets a 3 × 3 convolution look at the
# neighbours. So U-Net and the feature pyramid networks do it, with more of everything.

# %% [markdown] lang="es"
# *Filas: imágenes de prueba, máscaras verdaderas, y lo que la capa lineal saca de los mapas de la gemela y de los
# preentrenados. El blanco es una probabilidad de 1.*
#
# Con unas dos docenas de imágenes etiquetadas y una capa lineal, el animal se separa del fondo. Nadie le enseñó a la
# red base qué es una máscara: aprendió a decir «gato egipcio», y por el camino sus mapas llegaron a responder al pelo
# de otro modo que a la hierba. Aquí importan los controles. Una máscara que nunca mira la imagen ya tiene una IoU de
# más de 60, porque el animal está en el medio, y la gemela solo la supera en unos puntos. Sin esas dos cifras al lado,
# «IoU 0.85» dice poco.
#
# ## 4. Un decodificador de veinte líneas
#
# La sonda decide en cada celda por separado y amplía respuestas gruesas, así que sus bordes son borrosos. Un
# [**decodificador**](../../docs/glosario.md#decodificador) lo hace mejor: parte del mapa más grueso, que es el que
# mejor sabe *qué* hay, lo duplica, le suma el siguiente más fino, que es el que mejor sabe *dónde*, y deja que una
# convolución de 3 × 3 mire a los vecinos. Así lo hacen U-Net y las redes piramidales de características, con más de
# todo.


# %% framework="pytorch"
class Decoder(nn.Module):
    """From maps of several sizes to one logit a pixel."""

    def __init__(self, channels, factor, width=16):
        super().__init__()
        self.sides = nn.ModuleList(nn.Sequential(nn.BatchNorm2d(c), nn.Conv2d(c, width, 1)) for c in channels)
        self.mixes = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in channels)
        self.twice = nn.Upsample(scale_factor=2)
        self.last = nn.Sequential(nn.Conv2d(width, 1, 1), nn.Upsample(scale_factor=factor, mode="bilinear"))

    def forward(self, *maps):
        x = None
        for m, side, mix in reversed(list(zip(maps, self.sides, self.mixes))):  # from coarse to fine
            x = side(m) if x is None else side(m) + self.twice(x)
            x = F.relu(mix(F.relu(x)))
        return self.last(x)[:, 0]


# %% framework="tensorflow"
def Decoder(shapes, factor, width=16):
    """From maps of several sizes to one logit a pixel."""
    maps, x = [keras.Input(shape) for shape in shapes], None
    for m in reversed(maps):  # from coarse to fine
        side = layers.Conv2D(width, 1)(layers.BatchNormalization(momentum=0.9)(m))
        x = side if x is None else layers.Add()([side, layers.UpSampling2D(2)(x)])
        x = layers.Conv2D(width, 3, padding="same", activation="relu")(layers.ReLU()(x))
    x = layers.UpSampling2D(factor, interpolation="bilinear")(layers.Conv2D(1, 1)(x))
    return keras.Model(maps, layers.Reshape(x.shape[1:3])(x))


# %% [markdown] lang="en"
# Now the question of every transfer: what does the pretraining save? Four ways to the same mask, with `FEW` and with
# `MANY` labelled pictures, a quarter of which decide when to stop:
#
# - **frozen**: the decoder learns, on maps that were computed once;
# - **random, frozen**: the same on the twin's maps;
# - **fine-tuned**: backbone and decoder learn together, from pixels;
# - **scratch**: the same from random weights.
#
# All have the same decoder, the same pictures and the same rule of stopping. Whole networks are slow to train, so here
# the pictures are `TRAIN_SIZE` pixels wide and high. Write down your guess: how many points is scratch behind, with
# `FEW`, and with `MANY`? In lesson 01, with classes, it was tens of points.

# %% [markdown] lang="es"
# Y ahora la pregunta de toda transferencia: ¿cuánto ahorra el preentrenamiento? Cuatro caminos hacia la misma máscara,
# con `FEW` y con `MANY` imágenes etiquetadas, de las que una cuarta parte decide cuándo parar:
#
# - **congelada**: aprende el decodificador, con mapas calculados una sola vez;
# - **al azar, congelada**: lo mismo con los mapas de la gemela;
# - **ajuste fino**: la red base y el decodificador aprenden juntos, desde los píxeles;
# - **desde cero**: lo mismo a partir de pesos al azar.
#
# Todos tienen el mismo decodificador, las mismas imágenes y la misma regla para parar. Entrenar redes enteras es lento,
# así que aquí las imágenes tienen `TRAIN_SIZE` píxeles de ancho y de alto. Escriba su apuesta: ¿cuántos puntos por
# detrás queda empezar desde cero, con `FEW` y con `MANY`? En la lección 01, con clases, eran decenas de puntos.


# %% framework="pytorch"
class Segmenter(nn.Module):
    """From pixels to one logit a pixel: a backbone and a decoder that learn together."""

    def __init__(self, backbone, decoder):
        super().__init__()
        self.backbone, self.decoder = backbone, decoder

    def forward(self, x):
        return self.decoder(*self.backbone(x))


def new_model(method):
    """A decoder alone, or with the backbone in front of it."""
    decoder = Decoder([m.shape[1] for m in small_maps["pretrained"]], FACTOR)
    if method in ("frozen", "random"):
        return decoder
    return Segmenter(backbone_of(pretrained=method == "tuned"), decoder)


# %% framework="tensorflow"
def Segmenter(backbone, decoder):
    """From pixels to one logit a pixel: a backbone and a decoder that learn together."""
    return keras.Model(backbone.input, decoder(backbone.output))


def new_model(method):
    """A decoder alone, or with the backbone in front of it."""
    decoder = Decoder([m.shape[1:] for m in small_maps["pretrained"]], FACTOR)
    if method in ("frozen", "random"):
        return once(decoder)
    return once(Segmenter(backbone_of(method == "tuned", TRAIN_SIZE), decoder))


# %%
small = draw_pets(PETS, seed=SEED + 1200, size=TRAIN_SIZE, truth=True)  # the same animals
small_masks = small.masks.astype("float32")
small_maps = {name: maps_of(backbone, small.images) for name, backbone in backbones.items()}
FACTOR = TRAIN_SIZE // small_maps["pretrained"][0].shape[2]  # how much finer the picture is than the finest map
inputs = {"frozen": small_maps["pretrained"], "random": small_maps["random"]}
inputs["tuned"] = inputs["scratch"] = [pixels_of(small.images)]
METHODS, COUNTS = ("tuned", "frozen", "scratch", "random"), (FEW, MANY)
found = {method: np.zeros((DRAWS, 2)) for method in METHODS}
for draw in range(DRAWS):
    rows = np.random.default_rng(100 * SEED + draw).permutation(learn_rows)
    for k, count in enumerate(COUNTS):
        learn, stop = rows[count // 4 : count], rows[: count // 4]
        for method in METHODS:
            set_seed(100 * SEED + draw)
            model = new_model(method)
            parts = [[*(x[rows] for x in inputs[method]), small_masks[rows]] for rows in (learn, stop)]
            train(model, mask_loss, *parts, TUNE_RATE if method == "tuned" else RATE)
            said = answers_of(model, [x[test_rows] for x in inputs[method]])
            found[method][draw, k] = mean_iou(said, small_masks[test_rows])

# %%
ax = plots.new_axes(None, 6, 3.2)
for k, method in enumerate(METHODS):
    ax.plot(COUNTS, found[method].mean(0), plots.LINES[k], color=plots.COLOURS[k], label=words[method])
    ax.plot(COUNTS, found[method].T, plots.MARKERS[k], color=plots.COLOURS[k], alpha=0.6)
    print(f"{words[method]:>22} {words['mask_iou']}", found[method].mean(0).round(1).tolist())
mean_mask = np.tile(small_masks[learn_rows].mean(0) - 0.5, (len(test_rows), 1, 1))
ax.axhline(mean_iou(mean_mask, small_masks[test_rows]), color="grey", linestyle=":", label=words["always_mean"])
ax.set(xlabel=words["labels_axis"], ylabel=words["iou_axis"], xscale="log", xticks=COUNTS, xticklabels=COUNTS)
ax.minorticks_off()
plots.tidy(ax)
ax.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
few_gain, many_gain = (found["tuned"] - found["scratch"]).mean(0)
claim("pretraining_helps_with_few", few_gain)
claim("scratch_is_not_hopeless", many_gain)

# %% [markdown] lang="en"
# *Mean IoU of the test masks over the number of labelled pictures (those that decide when to stop among them). Lines:
# means; marks: draws. Dotted: the mean mask.*
#
# Pretraining helps, by some points. (Two draws make no interval; look how far apart their marks lie.) But look at
# scratch, with `MANY` above all: it goes most of the way from the mean mask to the best network. With classes it was
# tens of points behind, and so it was in two trials of ours with these very pictures, asked for cat or dog: with `FEW`
# labels scratch hardly beat a coin. Why? A likely reason: a class is *one* label a picture. A mask is one label a
# *pixel*: a hundred masks are a hundred thousand labels, though neighbouring ones say much the same. The more a label
# says, the fewer labels one needs, and the less there is to save. So the same saving cannot be promised for each task.
# (Compare shares of the way, not points: points of IoU are not points of accuracy, and between the dotted line and the
# best network there are not many of them.) What the labels *cost* is another matter: it takes a second to click "cat"
# and minutes to draw an outline.
#
# And the twin's maps do worse than the network from scratch, most clearly with `MANY`, though both began with random
# weights: layers that are frozen at random cannot get any better.
#
# ## 5. Several animals: a detector
#
# A head that answers *one* box assumes that there is one animal. With an unknown number of them, one asks each **cell**
# of a map: is there the middle of a cat's head here? of a dog's? And if so, how far is it from here to the box's left,
# top, right and bottom? This is [object detection](../../docs/glossary.md#object-detection) in the manner of FCOS. Two
# things follow: every cell near a head will answer, so one head gets several boxes; and one needs a measure for a list
# of boxes of unknown length.
#
# First the pictures. From each drawing we cut the animal out with its mask, and paste one to three of them into an
# empty scene, of which each has a part of the width to itself.

# %% [markdown] lang="es"
# *IoU media de las máscaras de prueba según el número de imágenes etiquetadas (incluidas las que deciden cuándo parar).
# Líneas: medias; marcas: sorteos. Punteada: la máscara media.*
#
# El preentrenamiento ayuda, en unos puntos. (Dos sorteos no dan un intervalo; mire cuánto distan sus marcas). Pero mire
# la red entrenada desde cero, sobre todo con `MANY`: recorre la mayor parte del camino de la máscara media a la mejor
# red. Con las clases quedaba decenas de puntos por detrás, y así fue también en dos ensayos nuestros con estas mismas
# imágenes, al preguntar si era gato o perro: con `FEW` etiquetas, la red desde cero apenas superó a una moneda. ¿Por
# qué? Una razón probable: una clase es *una* etiqueta por imagen. Una máscara es una etiqueta por *píxel*: cien
# máscaras son cien mil etiquetas, aunque las vecinas digan casi lo mismo. Cuanto más dice una etiqueta, menos hacen
# falta y menos queda por ahorrar. Así que no se puede prometer el mismo ahorro en todas las tareas. (Compare partes del
# camino, no puntos: un punto de IoU no es un punto de exactitud, y entre la línea punteada y la mejor red no hay
# muchos). Otra cosa es lo que *cuestan* las etiquetas: pulsar «gato» lleva un segundo, y dibujar un contorno, minutos.
#
# Y los mapas de la gemela dan peor resultado que la red entrenada desde cero, sobre todo con `MANY`, aunque ambas
# empezaron con pesos al azar: unas capas congeladas al azar ya no pueden mejorar.
#
# ## 5. Varios animales: un detector
#
# Una cabeza que responde *un* recuadro supone que hay un solo animal. Si no se sabe cuántos son, se pregunta a cada
# **celda** de un mapa: ¿está aquí el centro de la cabeza de un gato? ¿De la de un perro? Y si es así, ¿a qué distancia
# quedan los bordes izquierdo, superior, derecho e inferior del recuadro? Es la [detección de
# objetos](../../docs/glosario.md#detección-de-objetos) a la manera de FCOS. De ahí salen dos consecuencias: todas las
# celdas cercanas a una cabeza responderán, así que una cabeza recibe varios recuadros; y hace falta una medida para una
# lista de recuadros de longitud desconocida.
#
# Primero, las imágenes. De cada dibujo recortamos el animal con su máscara y pegamos de uno a tres en una escena vacía,
# cada uno en su parte del ancho.


# %% tags=["folded"]
SIDE = 3 * IMAGE_SIZE // 64 * 32  # of a scene, in pixels; maps of it can be halved five times
EMPTY = {"x": -5.0, "pose": "head", "occlusion": 0.0}  # the animal is far outside of its picture
WHOLE = {"x": 0.5, "y": 0.32, "pose": "sitting", "scale": 0.2, "occlusion": 0.0}


def paste(scene, image, mask, side, x, y):
    """Puts an animal into a scene, its head at (x, y), and returns where its picture's corner comes to lie."""
    left, top = round(x - side / 2), round(y - 0.32 * side)
    animal = Image.fromarray(np.dstack([image, 255 * mask.astype(np.uint8)])).resize((side, side))
    scene.paste(animal.convert("RGB"), (left, top), mask=animal.getchannel("A"))
    return np.array([left, top, left, top])


rng = np.random.default_rng(SEED)
scenes = draw_pets(SCENES, seed=SEED + 1300, size=SIDE, factors=EMPTY).images
counts = rng.integers(1, 4, SCENES)
cast = draw_pets(counts.sum(), seed=SEED + 1400, size=IMAGE_SIZE, factors=WHOLE, truth=True)
queue, boxes, kinds = iter(rng.permutation(len(cast))), [], []
for i, count in enumerate(counts):
    scene, chosen, here = Image.fromarray(scenes[i]), [next(queue) for _ in range(count)], []
    for slot, k in enumerate(chosen):
        side = round(SIDE * rng.uniform(0.4, 0.75))
        x, y = SIDE * (slot + rng.uniform(0.3, 0.7)) / count, rng.uniform(0.2 * side, SIDE - 0.3 * side)
        corner = paste(scene, cast.images[k], cast.masks[k], side, x, y)
        here.append((cast.boxes[k] * side + corner).clip(0, SIDE) / SIDE)
    scenes[i] = np.asarray(scene)
    boxes.append(np.array(here, "float32"))
    kinds.append(cast.species[chosen])

axes = plots.show_images(scenes[:4], side=1.2)
for ax, here, kind in zip(axes.flat, boxes, kinds):
    for box, k in zip(here, kind):
        draw_box(ax, box, plots.COLOURS[1 - k], ("-", "--")[k])

# %% [markdown] lang="en"
# *Scenes with their true boxes: orange a cat's head, blue and dashed a dog's.*
#
# For each cell the labels are six numbers: cat or not, dog or not, and four distances, measured in cells. A cell is a
# head's if its middle lies in the central part of the box, half as wide and half as high.

# %% [markdown] lang="es"
# *Escenas con sus recuadros verdaderos: naranja, la cabeza de un gato; azul y a rayas, la de un perro.*
#
# Las etiquetas de cada celda son seis números: gato o no, perro o no, y cuatro distancias, medidas en celdas. Una celda
# es de una cabeza si su centro está en la parte central del recuadro, la mitad de ancha y la mitad de alta.

# %%
scene_maps = {name: maps_of(backbone, scenes)[-2:] for name, backbone in backbones.items()}
CELLS = scene_maps["pretrained"][0].shape[2]
across, down = np.meshgrid(np.arange(CELLS) + 0.5, np.arange(CELLS) + 0.5)  # middles of the cells


def cells_of(boxes, kinds):
    """What each cell should answer, `(n, cells, cells, 6)`."""
    wanted = np.zeros((len(boxes), CELLS, CELLS, 6), "float32")
    for cells, here, kind in zip(wanted, boxes, kinds):
        for (left, top, right, bottom), k in zip(CELLS * here, kind):
            inside = np.abs(across - (left + right) / 2) <= max(0.5, (right - left) / 4)
            inside &= np.abs(down - (top + bottom) / 2) <= max(0.5, (bottom - top) / 4)
            cells[inside] = 0
            cells[inside, k] = 1
            cells[inside, 2:] = np.stack([across - left, down - top, right - across, bottom - down], -1)[inside]
    return wanted


wanted = cells_of(boxes, kinds)

# %% [markdown] lang="en"
# The head: the coarser of two maps is doubled and laid beside the finer one, then a 3 × 3 convolution looks around and
# a 1 × 1 convolution answers. The loss has two parts: cross-entropy for the classes in *all* cells, and the absolute
# error of the distances where a head is. Elsewhere the distances may be anything.

# %% [markdown] lang="es"
# La cabeza: el más grueso de dos mapas se duplica y se pone junto al más fino; después, una convolución de 3 × 3 mira
# alrededor y una de 1 × 1 responde. La pérdida tiene dos partes: entropía cruzada de las clases en *todas* las celdas,
# y error absoluto de las distancias donde hay una cabeza. En las demás celdas las distancias pueden ser cualesquiera.


# %% framework="pytorch"
class Detector(nn.Module):
    """From two maps to six numbers a cell, `(n, cells, cells, 6)`."""

    def __init__(self, fine, coarse, width=64):
        super().__init__()
        self.twice = nn.Upsample(scale_factor=2)
        self.norms = nn.ModuleList(nn.BatchNorm2d(m.shape[1]) for m in (fine, coarse))
        self.look = nn.Conv2d(fine.shape[1] + coarse.shape[1], width, 3, padding=1)
        self.say = nn.Conv2d(width, 6, 1)

    def forward(self, fine, coarse):
        x = torch.cat([self.norms[0](fine), self.twice(self.norms[1](coarse))], 1)
        return self.say(F.relu(self.look(x))).permute(0, 2, 3, 1)


def cell_loss(said, wanted):
    """Sum over the cells, mean over the pictures."""
    kinds = F.binary_cross_entropy_with_logits(said[..., :2], wanted[..., :2], reduction="sum")
    here = wanted[..., :2].amax(-1, keepdim=True)  # 1 where a head is
    return (kinds + (here * (said - wanted)[..., 2:].abs()).sum()) / len(said)


# %% framework="tensorflow"
def Detector(fine, coarse, width=64):
    """From two maps to six numbers a cell, `(n, cells, cells, 6)`."""
    maps = [keras.Input(m.shape[1:]) for m in (fine, coarse)]
    fine, coarse = (layers.BatchNormalization(momentum=0.9)(m) for m in maps)
    x = layers.Concatenate()([fine, layers.UpSampling2D(2)(coarse)])
    x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
    return once(keras.Model(maps, layers.Conv2D(6, 1)(x)))


def cell_loss(wanted, said):
    """Sum over the cells, one number a picture."""
    kinds = tf.nn.sigmoid_cross_entropy_with_logits(wanted[..., :2], said[..., :2])
    here = ops.max(wanted[..., :2], -1, keepdims=True)  # 1 where a head is
    return ops.sum(kinds, (1, 2, 3)) + ops.sum(here * ops.abs((said - wanted)[..., 2:]), (1, 2, 3))


# %%
scene_rows = np.split(np.arange(SCENES), [6 * SCENES // 10, 7 * SCENES // 10])
told = {}
for origin in ("random", "pretrained"):
    set_seed(SEED)
    detector = Detector(*scene_maps[origin])
    parts = [[*(m[rows] for m in scene_maps[origin]), wanted[rows]] for rows in scene_rows[:2]]
    train(detector, cell_loss, *parts, RATE)
    told[origin] = answers_of(detector, [m[scene_rows[2]] for m in scene_maps[origin]])

# %% [markdown] lang="en"
# **Your turn (3).** Now the duplicates. [**Non-maximum suppression**](../../docs/glossary.md#non-maximum-suppression)
# takes the box with the highest score, throws away all others that overlap it with an IoU above a limit, takes the best
# of the rest, and so on. A box that was thrown away suppresses nobody. Write `suppress(boxes, scores, limit)` for
# tensors `(n, 4)` and `(n,)`: the indices of the boxes that stay, the best first.

# %% [markdown] lang="es"
# **Le toca a usted (3).** Ahora, los duplicados. La [**supresión de no
# máximos**](../../docs/glosario.md#supresión-de-no-máximos) toma el recuadro de mayor puntuación, descarta todos los
# que se solapan con él con una IoU mayor que un límite, toma el mejor del resto, y así sucesivamente. Un recuadro
# descartado no suprime a nadie. Escriba `suppress(boxes, scores, limit)` para tensores `(n, 4)` y `(n,)`: los índices
# de los recuadros que quedan, el mejor primero.

# %% [markdown] lang="en" framework="pytorch"
# `ops.box_iou(a, b)` compares each box of `a` with each of `b`. (`ops.nms` does it all; write it first, then compare.)

# %% [markdown] lang="en" framework="tensorflow"
# `overlaps(a, b)` compares each box of `a` with each of `b`. (`tf.image.non_max_suppression` does it all, with a limit
# on the number of boxes; write it first, then compare.)

# %% [markdown] lang="es" framework="pytorch"
# `ops.box_iou(a, b)` compara cada recuadro de `a` con cada uno de `b`. (`ops.nms` lo hace todo; escríbalo antes y
# compare después).

# %% [markdown] lang="es" framework="tensorflow"
# `overlaps(a, b)` compara cada recuadro de `a` con cada uno de `b`. (`tf.image.non_max_suppression` lo hace todo, con
# un máximo de recuadros; escríbalo antes y compare después).


# %% tags=["folded"]
def check_suppress(suppress):
    """A row of boxes, each overlapping its neighbours alone; and one far away. Number 2 falls, so number 0 stays."""
    left = np.array([4, 9, 2, 0, 6], "float32")  # all 4 wide; 0 and 2 overlap, 2 and 3 overlap
    boxes = np.stack([left, 0 * left, left + 4, 0 * left + 1], 1)
    boxes[4] = (20, 20, 24, 24)
    scores = np.array([0.3, 0.1, 0.6, 0.9, 0.5], "float32")
    found = suppress(tensor(boxes), tensor(scores), 0.3)
    if found is None or np.ndim(found) != 1:
        print("✘", words["keep_shape"])
        return
    found = [int(i) for i in found]
    if found == [3, 4, 0, 1]:
        print("✔", words["right"])
    elif sorted(found) == [0, 1, 3, 4]:
        print("✘", words["keep_order"], found)
    elif sorted(found) == [0, 1, 2, 3, 4]:
        print("✘", words["keep_all"])
    elif found == [3, 4, 1]:
        print("✘", words["keep_dead"])
    elif len(found) == 1:
        print("✘", words["keep_one"])
    else:
        print("✘", words["keep_wrong"], found, "≠", [3, 4, 0, 1])


# %% framework="pytorch"
def suppress(boxes, scores, limit):
    """Indices of the boxes that stay, the best first."""
    # write here


check_suppress(suppress)


# %% framework="tensorflow"
def suppress(boxes, scores, limit):
    """Indices of the boxes that stay, the best first."""
    # write here


check_suppress(suppress)


# %% framework="pytorch" tags=["solution"]
def suppress(boxes, scores, limit):
    iou, rest, keep = ops.box_iou(boxes, boxes), scores.argsort(descending=True), []
    while len(rest):
        best, rest = rest[0], rest[1:]
        keep.append(best)
        rest = rest[iou[best, rest] <= limit]
    return torch.stack(keep) if keep else rest


check_suppress(suppress)


# %% framework="tensorflow" tags=["solution"]
def suppress(boxes, scores, limit):
    iou, rest, keep = overlaps(np.asarray(boxes), np.asarray(boxes)), np.argsort(-np.asarray(scores)), []
    while len(rest):
        best, rest = rest[0], rest[1:]
        keep.append(best)
        rest = rest[iou[best, rest] <= limit]
    return tf.constant(keep, dtype="int64")


check_suppress(suppress)


# %%
def detect(cells, limit=0.5, least=0.05):
    """From six numbers a cell to boxes, scores and kinds; `limit=None` keeps all duplicates."""
    chances, far = expit(cells[..., :2].astype(float)), np.maximum(cells[..., 2:], 0)
    edges = [across - far[..., 0], down - far[..., 1], across + far[..., 2], down + far[..., 3]]
    everywhere = np.stack(edges, -1).reshape(-1, 4).clip(0, CELLS) / CELLS
    parts = []
    for k in range(2):
        strong = np.flatnonzero(chances[..., k].ravel() >= least)
        here, score = everywhere[strong], chances[..., k].ravel()[strong]
        if limit is not None:
            keep = np.asarray(suppress(tensor(here), tensor(score), limit), int)
            here, score = here[keep], score[keep]
        parts.append((here, score, np.full(len(score), k)))
    return tuple(np.concatenate(part) for part in zip(*parts))


# %%
found = {origin: [detect(cells) for cells in told[origin]] for origin in told}
found["duplicates"] = [detect(cells, limit=None) for cells in told["pretrained"]]
axes = plots.show_images(scenes[scene_rows[2][:4]], side=1.2)
for ax, (here, score, kind) in zip(axes.flat, found["pretrained"]):
    for box, sure, k in zip(here, score, kind):
        if sure >= 0.3:
            draw_box(ax, box, plots.COLOURS[1 - k], ("-", "--")[k])

# %% [markdown] lang="en"
# *Test scenes, and what the detector found with a score of at least 0.3: orange cats, blue and dashed dogs. It errs,
# too: look for heads without a box and for boxes that fit badly.*
#
# ## 6. One number for a list of boxes
#
# [**mAP**](../../docs/glossary.md#map), the mean average precision, judges such lists. For each class:
#
# 1. Take the boxes of all pictures, the most confident first.
# 2. A box is a **hit** if its IoU with a true box of its class and its picture is at least a threshold. Each true box
#    counts once: a second box on the same head is a mistake.
# 3. Going down the list, precision (hits so far, divided by boxes so far) and recall (hits so far, divided by true
#    boxes) draw a curve.
# 4. The **average precision** is the mean height of this curve at 101 values of recall, 0, 0.01, … 1; the height is the
#    best precision that is reached at this recall *or a higher one*, and 0 where it is not reached.
#
# mAP is the mean over classes, and in COCO's main number also over ten thresholds from 0.5 to 0.95. Details matter:
# with another rule for the height, or for a second box, the numbers cannot be compared. The following lines give, to
# the sixth decimal, what `torchmetrics` and COCO's own program give; the course's tests compare them.

# %% [markdown] lang="es"
# *Escenas de prueba, y lo que el detector encontró con una puntuación de al menos 0.3: naranja, gatos; azul y a rayas,
# perros. También falla: busque cabezas sin recuadro y recuadros que encajan mal.*
#
# ## 6. Un número para una lista de recuadros
#
# La [**mAP**](../../docs/glosario.md#map) (*mean average precision*) juzga esas listas. Para cada clase:
#
# 1. Tome los recuadros de todas las imágenes, del más seguro al menos seguro.
# 2. Un recuadro es un **acierto** si su IoU con un recuadro verdadero de su clase y de su imagen llega a un umbral.
#    Cada recuadro verdadero cuenta una vez: un segundo recuadro sobre la misma cabeza es un error.
# 3. Al bajar por la lista, la precisión (aciertos hasta ahí, entre recuadros hasta ahí) y la sensibilidad (aciertos
#    hasta ahí, entre recuadros verdaderos) dibujan una curva.
# 4. La **precisión media** es la altura media de esa curva en 101 valores de la sensibilidad: 0, 0.01, … 1; la altura
#    es la mejor precisión alcanzada con esa sensibilidad *o con una mayor*, y 0 donde no se alcanza.
#
# La mAP es la media de las clases y, en el número principal de COCO, también de diez umbrales de 0.5 a 0.95. Los
# detalles importan: con otra regla para la altura, o para el segundo recuadro, los números no se pueden comparar. Las
# líneas siguientes dan, hasta el sexto decimal, lo mismo que `torchmetrics` y que el programa del propio COCO; las
# pruebas del curso los comparan.


# %%
def hits_of(found, truth, threshold):
    """For each box found, the most confident first: is it a hit? `found`: boxes and scores by picture."""
    scores, hits = [], []
    for (boxes, score), true in zip(found, truth):
        free = np.ones(len(true), bool)
        order = np.argsort(-score, kind="stable")[:100]  # COCO looks at the best hundred of a picture
        for row in overlaps(boxes[order], true):
            best = max(np.flatnonzero(free & (row >= threshold)), key=lambda j: (row[j], j), default=None)
            if best is not None:
                free[best] = False
            hits.append(best is not None)
        scores.extend(score[order])
    return np.array(hits, bool)[np.argsort(-np.array(scores), kind="stable")]


def average_precision(hits, total):
    """COCO's average precision, from hits in the order of confidence and the number of true boxes."""
    recall, precision = np.cumsum(hits) / total, np.cumsum(hits) / np.arange(1, len(hits) + 1)
    height = np.maximum.accumulate(precision[::-1])[::-1]  # the best at this recall or a higher one
    return np.append(height, 0)[np.searchsorted(recall, np.linspace(0, 1, 101))].mean()


# %%
def mean_average_precision(found, boxes, kinds, thresholds):
    """Mean over the classes that occur and over the thresholds; `found`: boxes, scores and kinds by picture."""
    values = []
    for k in np.unique(np.concatenate(kinds)):
        true = [here[kind == k] for here, kind in zip(boxes, kinds)]
        mine = [(here[kind == k], score[kind == k]) for here, score, kind in found]
        for threshold in thresholds:
            values.append(average_precision(hits_of(mine, true, threshold), sum(map(len, true))))
    return float(np.mean(values))


COCO = np.linspace(0.5, 0.95, 10)
true_boxes, true_kinds = ([part[i] for i in scene_rows[2]] for part in (boxes, kinds))
maps_found = {}
for name in found:
    maps_found[name] = [mean_average_precision(found[name], true_boxes, true_kinds, t) for t in ([0.5], COCO)]
    print(f"{words[name]:>22}   mAP (IoU ≥ 0.5) {maps_found[name][0]:.3f}   mAP (COCO) {maps_found[name][1]:.3f}")
claim("detector_gains", maps_found["pretrained"][0] - maps_found["random"][0])
claim("duplicates_cost", maps_found["pretrained"][0] - maps_found["duplicates"][0])

# %%
ax = plots.new_axes(None, 6, 3.2)
for i, name in enumerate(("pretrained", "duplicates", "random")):
    true = [here[kind == 0] for here, kind in zip(true_boxes, true_kinds)]
    hits = hits_of([(here[kind == 0], score[kind == 0]) for here, score, kind in found[name]], true, 0.5)
    recall, precision = np.cumsum(hits) / sum(map(len, true)), np.cumsum(hits) / np.arange(1, len(hits) + 1)
    ax.plot(100 * recall, 100 * precision, plots.LINES[i], color=plots.COLOURS[i], label=words[name])
ax.set(xlabel=words["recall_axis"], ylabel=words["precision_axis"], ylim=(0, 103))
ax.legend(frameon=False, fontsize=8)
plots.tidy(ax)

# %% [markdown] lang="en"
# *Precision over recall for the cats' heads, at an IoU of at least 0.5.*
#
# A duplicate may fit its head well, and yet it costs: a head found three times is one hit and two mistakes. COCO's
# number is much lower than that at 0.5, since it also asks how *exactly* the boxes fit. And with random weights a
# detector of the same size finds some heads, too: part of the work is done by the layers that we trained.
#
# ## 7. The real way
#
# For real pictures nobody starts from a cell with six numbers. The libraries have detectors and segmenters whose
# backbone *and* heads were trained on large labelled collections, most often on COCO with its 118 000 pictures; one
# transfers those, and replaces the last layers. Below with random weights, since nothing is downloaded here; the
# comments say what to write for the trained ones. (COCO has 80 classes. Their numbers go up to 90 with gaps, and 0 is
# the background: so torchvision counts 91.)

# %% [markdown] lang="es"
# *Precisión según la sensibilidad para las cabezas de gato, con una IoU de al menos 0.5.*
#
# Un duplicado puede encajar bien en su cabeza y aun así cuesta: una cabeza encontrada tres veces es un acierto y dos
# errores. El número de COCO es mucho menor que el de 0.5, porque pregunta además con qué *exactitud* encajan los
# recuadros. Y con pesos al azar un detector del mismo tamaño también encuentra algunas cabezas: parte del trabajo lo
# hacen las capas que hemos entrenado.
#
# ## 7. El camino real
#
# Con imágenes reales nadie empieza por una celda con seis números. Las bibliotecas tienen detectores y segmentadores
# cuya red base *y* cuyas cabezas se entrenaron con grandes colecciones etiquetadas, casi siempre COCO, con sus 118 000
# imágenes; se transfieren esas y se sustituyen las últimas capas. Abajo, con pesos al azar, porque aquí no se descarga
# nada; los comentarios dicen qué escribir para los entrenados. (COCO tiene 80 clases. Sus números llegan a 90 con
# huecos, y el 0 es el fondo: por eso torchvision cuenta 91).

# %% framework="pytorch"
# the trained one: weights="DEFAULT"; it then knows 91 classes of COCO
detector = models.detection.fasterrcnn_mobilenet_v3_large_320_fpn(weights=None, weights_backbone=None, num_classes=91)
width = detector.roi_heads.box_predictor.cls_score.in_features
detector.roi_heads.box_predictor = FastRCNNPredictor(width, num_classes=3)  # background, cat, dog

picture = torch.from_numpy(scenes[0]).permute(2, 0, 1) / 255
target = {"boxes": SIDE * tensor(boxes[0]), "labels": tensor(kinds[0]) + 1}
losses = detector.train()([picture], [target])  # in training mode: its four losses, to be added up
print({name: round(loss.item(), 3) for name, loss in losses.items()})
with torch.inference_mode():
    said = detector.eval()([picture])[0]  # otherwise: boxes in pixels, labels, scores
print({name: tuple(values.shape) for name, values in said.items()})

segmenter = models.segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=21).eval()
segmenter.classifier.low_classifier = nn.Conv2d(40, 2, 1)  # of the fine maps
segmenter.classifier.high_classifier = nn.Conv2d(128, 2, 1)  # of the coarse ones
print(tuple(segmenter(picture[None])["out"].shape))

# %% framework="tensorflow"
import keras_hub

set_seed(SEED)
# a trained one: keras_hub.models.ImageSegmenter.from_preset("deeplab_v3_plus_resnet50_pascalvoc", num_classes=2)
encoder = keras_hub.models.ResNetBackbone(
    input_conv_filters=[64],
    input_conv_kernel_sizes=[7],
    stackwise_num_filters=[64, 64, 64, 64],
    stackwise_num_blocks=[1, 1, 1, 1],
    stackwise_num_strides=[1, 2, 2, 2],
    block_type="basic_block",
    image_shape=(SIDE, SIDE, 3),
)
print({name: maps.shape for name, maps in encoder.pyramid_outputs.items()})
backbone = keras_hub.models.DeepLabV3Backbone(
    encoder, spatial_pyramid_pooling_key="P4", low_level_feature_key="P2", upsampling_size=4, dilation_rates=[2, 4]
)
segmenter = keras_hub.models.DeepLabV3ImageSegmenter(backbone, num_classes=2, preprocessor=None)
print(segmenter.predict(scenes[:1].astype("float32") / 255, verbose=0).shape)

# %% [markdown] lang="en" framework="pytorch"
# The detector takes a list of pictures of any size and normalises them itself. In training mode it also takes the true
# boxes, in pixels, with labels from 1 (0 is the background), and gives losses instead of boxes. The segmenter is of the
# kind of our decoder: it reads two maps of one backbone, and has a last layer for each.
#
# **Oxford Pets.** The data set of the breeds has boxes of heads and masks, too, in its full archive:
# `torchvision.datasets.OxfordIIITPet(root, target_types="segmentation", download=True)` gives a **trimap** a photo: 1
# is animal, 2 background, and 3 a border that nobody could draw exactly. The boxes are in `annotations/xmls`. For
# sections 3 and 4 bring pictures and trimaps to one size and set `masks = trimap == 1`; that counts the border as
# background. Whoever wants to be exact leaves its pixels out of loss and IoU.

# %% [markdown] lang="en" framework="tensorflow"
# The encoder names its maps by their pyramid level: P2 has a quarter of the picture's side, P4 a sixteenth. The
# segmenter is of the kind of our decoder: it reads a coarse and a fine map of one backbone. For boxes there are
# `keras_hub.models.ObjectDetector.from_preset(...)` and, inside it, RetinaNet or D-FINE, which bring their own
# suppression of duplicates.
#
# **Oxford Pets.** The data set of the breeds has boxes of heads and masks, too, in its full archive: the folder
# `annotations/trimaps` holds a **trimap** a photo: 1 is animal, 2 background, and 3 a border that nobody could draw
# exactly. The boxes are in `annotations/xmls`. `tensorflow_datasets` loads it as `oxford_iiit_pet`. For sections 3 and
# 4 bring pictures and trimaps to one size and set `masks = trimap == 1`; that counts the border as background. Whoever
# wants to be exact leaves its pixels out of loss and IoU.

# %% [markdown] lang="es" framework="pytorch"
# El detector recibe una lista de imágenes de cualquier tamaño y las normaliza él mismo. En modo de entrenamiento recibe
# además los recuadros verdaderos, en píxeles, con etiquetas desde 1 (0 es el fondo), y devuelve pérdidas en lugar de
# recuadros. El segmentador es de la familia de nuestro decodificador: lee dos mapas de una red base y tiene una última
# capa para cada uno.
#
# **Oxford Pets.** El conjunto de datos de las razas tiene también recuadros de cabezas y máscaras, en su archivo
# completo: `torchvision.datasets.OxfordIIITPet(root, target_types="segmentation", download=True)` da un **trimapa** por
# foto: 1 es animal, 2 fondo y 3 un borde que nadie podría dibujar con exactitud. Los recuadros están en
# `annotations/xmls`. Para las secciones 3 y 4, lleve imágenes y trimapas a un mismo tamaño y ponga
# `masks = trimap == 1`; así el borde cuenta como fondo. Quien quiera ser exacto deja sus píxeles fuera de la pérdida y
# de la IoU.

# %% [markdown] lang="es" framework="tensorflow"
# El codificador nombra sus mapas por el nivel de la pirámide: P2 tiene un cuarto del lado de la imagen; P4, un
# dieciseisavo. El segmentador es de la familia de nuestro decodificador: lee un mapa grueso y uno fino de una red base.
# Para recuadros está `keras_hub.models.ObjectDetector.from_preset(...)` y, dentro, RetinaNet o D-FINE, que traen su
# propia supresión de duplicados.
#
# **Oxford Pets.** El conjunto de datos de las razas tiene también recuadros de cabezas y máscaras, en su archivo
# completo: la carpeta `annotations/trimaps` contiene un **trimapa** por foto: 1 es animal, 2 fondo y 3 un borde que
# nadie podría dibujar con exactitud. Los recuadros están en `annotations/xmls`. `tensorflow_datasets` lo carga como
# `oxford_iiit_pet`. Para las secciones 3 y 4, lleve imágenes y trimapas a un mismo tamaño y ponga
# `masks = trimap == 1`; así el borde cuenta como fondo. Quien quiera ser exacto deja sus píxeles fuera de la pérdida y
# de la IoU.

# %% [markdown] lang="en"
# ## 8. On one page
#
# What you take home: a script that learns masks from a file with pictures and a few masks, on a frozen backbone. It
# needs no library of this course. Without a second argument it takes a large network of its library. We run it with our
# backbone and the pictures of section 3.

# %% [markdown] lang="es"
# ## 8. En una página
#
# Lo que se lleva a casa: un programa que aprende máscaras de un archivo con imágenes y unas pocas máscaras, sobre una
# red base congelada. No necesita ninguna biblioteca de este curso. Sin segundo argumento toma una red grande de su
# biblioteca. Lo ejecutamos con nuestra red base y las imágenes de la sección 3.

# %% framework="pytorch"
# %%writefile {folder}/one_page.py
import sys

import numpy as np
import torch
from torch import nn, optim
from torch.nn import functional as F
from torchvision import models
from torchvision.models.feature_extraction import create_feature_extractor
from torchvision.transforms import v2

DATA, *FILE = sys.argv[1:]  # images (n, h, w, 3) uint8, masks (n, h, w) bool, labels: learn from so many, test the rest
data = np.load(DATA)
x, y = torch.from_numpy(data["images"]).permute(0, 3, 1, 2) / 255, torch.from_numpy(data["masks"]).float()
count = int(data["labels"])
torch.manual_seed(0)
if FILE:  # the lesson's backbone: pixels of 0 to 1 in, three maps out
    backbone = torch.export.load(FILE[0]).module()
else:
    resnet = models.resnet18(weights="DEFAULT").eval()
    backbone = create_feature_extractor(resnet, ["layer2", "layer3", "layer4"])
    x = v2.functional.normalize(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
with torch.no_grad():
    parts = [backbone(part) for part in x.split(64)]
maps = [torch.cat([list(part.values() if isinstance(part, dict) else part)[k] for part in parts]) for k in range(3)]
sides = nn.ModuleList(nn.Sequential(nn.BatchNorm2d(m.shape[1]), nn.Conv2d(m.shape[1], 1, 1)) for m in maps)
optimizer = optim.AdamW(sides.parameters(), lr=3e-3)


def logits_of(rows):
    return sum(F.interpolate(side(m[rows]), x.shape[2:], mode="bilinear") for side, m in zip(sides, maps))[:, 0]


for _ in range(400):
    rows = torch.randperm(count)[:16]
    loss = F.binary_cross_entropy_with_logits(logits_of(rows), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
sides.eval()
said, real = logits_of(slice(count, None)) > 0, y[count:] > 0.5
print(f"IoU {((said & real).sum((1, 2)) / (said | real).sum((1, 2))).mean():.4f}")

# %% framework="tensorflow"
# %%writefile {folder}/one_page.py
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
import keras
import numpy as np
from keras import layers

DATA, *FILE = sys.argv[1:]  # images (n, h, w, 3) uint8, masks (n, h, w) bool, labels: learn from so many, test the rest
data = np.load(DATA)
x, y, count = data["images"].astype("float32"), data["masks"].astype("float32"), int(data["labels"])
size = x.shape[1]
keras.utils.set_random_seed(0)
if FILE:  # the lesson's backbone: pixels of 0 to 255 in, three maps out
    backbone = keras.models.load_model(FILE[0], compile=False)
else:
    base = keras.applications.ResNet50(include_top=False, input_shape=(size, size, 3))
    x = keras.applications.resnet.preprocess_input(x)
    ends = [f"conv{k}_block{n}_out" for k, n in ((3, 4), (4, 6), (5, 3))]
    backbone = keras.Model(base.input, [base.get_layer(end).output for end in ends])
maps = backbone.predict(x, batch_size=64, verbose=0)
inputs, said = [keras.Input(m.shape[1:]) for m in maps], []
for m in inputs:
    side = layers.Conv2D(1, 1)(layers.BatchNormalization(momentum=0.9)(m))
    said.append(layers.UpSampling2D(size // m.shape[1], interpolation="bilinear")(side))
model = keras.Model(inputs, layers.Reshape((size, size))(layers.Add()(said)))
loss = keras.losses.BinaryCrossentropy(from_logits=True)
model.compile(keras.optimizers.AdamW(3e-3), loss=loss, jit_compile=False)
epochs = 400 * 16 // count
model.fit([m[:count] for m in maps], y[:count], batch_size=16, epochs=epochs, verbose=0)
said, real = model.predict([m[count:] for m in maps], verbose=0) > 0, y[count:] > 0.5
print(f"IoU {np.mean((said & real).sum((1, 2)) / (said | real).sum((1, 2))):.4f}")

# %% framework="pytorch"
file = folder / "backbone.pt2"  # with its preprocessing inside
whole = nn.Sequential(normalize, copy.deepcopy(backbones["pretrained"]).cpu()).eval()
shapes = ({0: torch.export.Dim("batch")},)
exported = torch.export.export(whole, (torch.rand(2, 3, IMAGE_SIZE, IMAGE_SIZE),), dynamic_shapes=shapes)
torch.export.save(exported, file)

# %% framework="tensorflow"
file = folder / "backbone.keras"  # with its preprocessing inside
pixels = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3))
keras.Model(pixels, backbone_of(True, IMAGE_SIZE)(prepare(pixels))).save(file)

# %%
rows = np.concatenate([few, test_rows])
np.savez(folder / "pictures.npz", images=pets.images[rows], masks=pets.masks[rows], labels=len(few))
command = [sys.executable, str(folder / "one_page.py"), str(folder / "pictures.npz"), str(file)]
said = subprocess.run(command, capture_output=True, text=True)
print(said.stdout or said.stderr)
claim("script_agrees", abs(100 * float(said.stdout.split("IoU ")[1]) - probed["pretrained"][-1]))

# %% [markdown] lang="en"
# ## What you can do now
#
# - Ask a backbone for a box, a number, a mask or a list of boxes: the backbone stays, the head changes.
# - Keep the places. Averages know how large something is, but not where it is or how it is turned; maps do, and centres
#   of mass are between them.
# - Give each number its baseline: the mean box, the mean mask, random weights, $R^2 = 0$.
# - Write a decoder and a small detector, clear duplicates away, and compute mAP so that it can be compared.
# - Expect less from transfer where each label says much: with a hundred masks scratch was a few points behind, with
#   classes it was tens of points.
#
# What was true of **drawings**: the animals are large, whole, near the middle, with clear outlines on soft backgrounds,
# so all levels are higher than they would be on photos, and the mean box and mask are good guesses. The masks are
# exact, which no hand-drawn ones are. The scenes are pasted, and animals hide little of each other. On COCO's photos,
# with their 80 classes, torchvision's Faster R-CNNs have an mAP of 23 to 47 % (so says its documentation), with some
# fifty to a hundred times as many weights as ours. Direction and method carry over, the levels do not.
#
# From the toolbox the lesson used `load_network` and, in PyTorch, `mini_resnet_narrow`; it added nothing to it.
#
# ## Check yourself

# %% [markdown] lang="es"
# ## Lo que ya sabe hacer
#
# - Pedir a una red base un recuadro, un número, una máscara o una lista de recuadros: la red base se queda, la cabeza
#   cambia.
# - Conservar los lugares. Los promedios saben de qué tamaño es algo, pero no dónde está ni cuánto ha girado; los mapas
#   sí, y los centros de masas quedan en medio.
# - Dar a cada número su referencia: el recuadro medio, la máscara media, los pesos al azar, $R^2 = 0$.
# - Escribir un decodificador y un detector pequeño, quitar duplicados y calcular la mAP de modo que se pueda comparar.
# - Esperar menos de la transferencia cuando cada etiqueta dice mucho: con cien máscaras, empezar desde cero quedó unos
#   pocos puntos por detrás; con las clases, decenas.
#
# Lo que solo vale para los **dibujos**: los animales son grandes, están enteros y cerca del centro, con contornos
# claros sobre fondos suaves; por eso todos los niveles son más altos que con fotos, y el recuadro medio y la máscara
# media, buenas apuestas. Las máscaras son exactas, cosa que ninguna dibujada a mano es. Las escenas son recortes
# pegados, y los animales se tapan poco. Con las fotos de COCO y sus 80 clases, las Faster R-CNN de torchvision tienen
# una mAP de entre el 23 y el 47 % (según su documentación), con entre cincuenta y cien veces más pesos que la nuestra.
# El sentido y el método se mantienen; los niveles, no.
#
# De la caja de herramientas la lección ha usado `load_network` y, en PyTorch, `mini_resnet_narrow`; no le ha añadido
# nada.
#
# ## Compruebe lo aprendido

# %%
show_quiz("12_other_tasks/after", LANGUAGE)

# %% [markdown] lang="en"
# ## Further reading
#
# - O. Ronneberger, P. Fischer and T. Brox, "U-Net: convolutional networks for biomedical image segmentation", *MICCAI*
#   2015: the decoder that adds finer maps.
# - T.-Y. Lin, P. Dollár, R. Girshick, K. He, B. Hariharan and S. Belongie, "Feature pyramid networks for object
#   detection", *CVPR* 2017.
# - Z. Tian, C. Shen, H. Chen and T. He, "FCOS: fully convolutional one-stage object detection", *ICCV* 2019: classes
#   and distances in each cell.
# - T.-Y. Lin et al., "Microsoft COCO: common objects in context", *ECCV* 2014: the data set and its measure.
# - C. Finn, X. Y. Tan, Y. Duan, T. Darrell, S. Levine and P. Abbeel, "Deep spatial autoencoders for visuomotor
#   learning", *ICRA* 2016: centres of maps as features.
# - K. He, R. Girshick and P. Dollár, "Rethinking ImageNet pre-training", *ICCV* 2019: with enough boxes and masks,
#   training from scratch catches up.
# - O. M. Parkhi, A. Vedaldi, A. Zisserman and C. V. Jawahar, "Cats and dogs", *CVPR* 2012: Oxford Pets, with its
#   trimaps and boxes.

# %% [markdown] lang="es"
# ## Para seguir leyendo
#
# - O. Ronneberger, P. Fischer y T. Brox, «U-Net: convolutional networks for biomedical image segmentation», *MICCAI*
#   2015: el decodificador que suma mapas más finos.
# - T.-Y. Lin, P. Dollár, R. Girshick, K. He, B. Hariharan y S. Belongie, «Feature pyramid networks for object
#   detection», *CVPR* 2017.
# - Z. Tian, C. Shen, H. Chen y T. He, «FCOS: fully convolutional one-stage object detection», *ICCV* 2019: clases y
#   distancias en cada celda.
# - T.-Y. Lin et al., «Microsoft COCO: common objects in context», *ECCV* 2014: el conjunto de datos y su medida.
# - C. Finn, X. Y. Tan, Y. Duan, T. Darrell, S. Levine y P. Abbeel, «Deep spatial autoencoders for visuomotor learning»,
#   *ICRA* 2016: centros de mapas como características.
# - K. He, R. Girshick y P. Dollár, «Rethinking ImageNet pre-training», *ICCV* 2019: con suficientes recuadros y
#   máscaras, entrenar desde cero alcanza a lo preentrenado.
# - O. M. Parkhi, A. Vedaldi, A. Zisserman y C. V. Jawahar, «Cats and dogs», *CVPR* 2012: Oxford Pets, con sus trimapas
#   y recuadros.
