# %% [markdown] lang="en"
# # Fine-tuning: what may move, how much, and how fast
#
# **{Framework}** · about 45 minutes · before this: [01 Cats and dogs](01_cats_vs_dogs_{framework}.ipynb).
#
# Lesson 01 fine-tuned a network once, with a rate that was given. Now you choose. After this lesson you can, in
# {Framework},
#
# - say what moves in a network in one step of training, BatchNorm's statistics too, and hold what shall not move;
# - find a learning rate with a **range test** of 15 lines, and recognise one that is far too high;
# - let the head learn, the last stage, or all of it, and measure what each is worth;
# - give parts of a network rates of their own, and write a schedule with warm-up;
# - do all that on one page, without any library of this course.
#
# The [glossary](../../docs/glossary.md) has the words.

# %% [markdown] lang="es"
# # Ajuste fino: qué puede moverse, cuánto y a qué velocidad
#
# **{Framework}** · unos 45 minutos · antes: [01 Gatos y perros](01_cats_vs_dogs_{framework}.ipynb).
#
# En la lección 01 hicimos un ajuste fino una vez, con una tasa que venía dada. Ahora elige usted. Al terminar sabrá, en
# {Framework}:
#
# - decir qué se mueve en una red en un paso de entrenamiento, también las estadísticas de BatchNorm, y fijar lo que no
#   debe moverse;
# - encontrar una tasa de aprendizaje con una **prueba de rango** de 15 líneas y reconocer una demasiado alta;
# - dejar que aprenda la cabeza, la última etapa o toda la red, y medir qué aporta cada opción;
# - dar a cada parte de una red su propia tasa y escribir un plan de la tasa con calentamiento;
# - hacer todo eso en una página, sin ninguna biblioteca de este curso.
#
# Las palabras están en el [glosario](../../docs/glosario.md).

# %% tags=["parameters"]
SEED = 0
DATASET = "drawn_pets_breeds"  # or "cats_vs_dogs", "oxford_pets_breeds", a folder with one sub-folder a class
BACKBONE = "mini_resnet_narrow"  # or "mini_resnet", "efficientnet_lite0"
IMAGE_SIZE = 48  # side of the images, in pixels
STYLE = "sketch"  # of drawn pictures: "photo", "sketch" or "night"
LABELS = 20  # labelled images of each class, those that decide when to stop among them
DRAWS = 3  # how often each experiment is repeated, with other images and another head
ROUNDS = 40  # at most so many rounds of training, of 20 steps each
PATIENCE = 6  # rounds without a lower validation loss, after which training stops

# %%
# %matplotlib inline
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.model_selection import train_test_split

from tlhelpers import metrics, plots
from tlhelpers.data.datasets import load_splits
from tlhelpers.numbers import percent, thousands
from tlhelpers.quiz import show_quiz

folder = Path(tempfile.mkdtemp())
show_quiz("03a_fine_tuning/before", LANGUAGE)

# %% framework="pytorch"
import copy

import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader, RandomSampler, TensorDataset
from torchvision import models
from torchvision.transforms import v2

from tlhelpers.pytorch.heads import count_parameters, freeze, replace_head
from tlhelpers.pytorch.mini_resnet import MiniResNet, _shipped, _ShippedWeights  # for the narrow one, below
from tlhelpers.pytorch.networks import load_network
from tlhelpers.pytorch.prediction import predict
from tlhelpers.pytorch.pretrained import build_model
from tlhelpers.pytorch.training import fit

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

# %% framework="tensorflow"
import keras
import tensorflow as tf
from keras import layers

from tlhelpers.tensorflow.heads import add_head, count_parameters
from tlhelpers.tensorflow.networks import load_network
from tlhelpers.tensorflow.training import fit

loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

# %% [markdown] lang="en"
# ## 1. A network, and a task that it does not know
#
# The task: name the breed of an animal in a pencil sketch. There are 16 breeds, with `LABELS` labelled sketches of
# each. The network learnt from photos.

# %% [markdown] lang="es"
# ## 1. Una red y una tarea que no conoce
#
# La tarea: decir la raza de un animal en un boceto a lápiz. Hay 16 razas, con `LABELS` bocetos etiquetados de cada una.
# La red aprendió de fotos.

# %%
style = {"style": STYLE} if DATASET.startswith("drawn_pets") else {}
data = load_splits(DATASET, image_size=IMAGE_SIZE, seed=SEED, progress=False, **style)
num_classes = len(data.train.class_names)
LABELS = min(LABELS, int(np.bincount(data.train.labels).min()))
some = data.train.per_class(1, seed=SEED)
axes = plots.show_images(some.images[:8], plots.class_words(some.class_names[:8], LANGUAGE), columns=8, side=1.3)

# %% [markdown] lang="en"
# *One picture of each of eight classes.*
#
# We shall train the network some thirty times. So we take `mini_resnet_narrow`, half as wide as lesson 01's
# `mini_resnet`, and pictures of 48 pixels. It is made, called and loaded in the same way; its definition is folded
# below.

# %% [markdown] lang="es"
# *Una imagen de cada una de ocho clases.*
#
# Vamos a entrenar la red unas treinta veces. Por eso tomamos `mini_resnet_narrow`, la mitad de ancha que la
# `mini_resnet` de la lección 01, e imágenes de 48 píxeles. Se crea, se llama y se carga igual; su definición está
# plegada a continuación.

# %% framework="pytorch" tags=["folded"] shows="tlhelpers.pytorch.mini_resnet.MiniResNetNarrow_Weights tlhelpers.pytorch.mini_resnet.mini_resnet_narrow"

# %% framework="tensorflow" tags=["folded"]
NARROW = {"width": 16} if BACKBONE == "mini_resnet_narrow" else {}  # of MiniResNet: half the channels of mini_resnet

# %% framework="pytorch"
if BACKBONE == "mini_resnet_narrow":
    weights = MiniResNetNarrow_Weights.DEFAULT
    model, prepare = mini_resnet_narrow(weights=weights), weights.transforms()
else:
    model, prepare = load_network(BACKBONE)
replace_head(model, num_classes)
model.to(device)
HEAD, head = list(model.named_children())[-1]  # its name, and the layer
HEAD_SIZE = sum(parameter.numel() for parameter in head.parameters())
BODY = tuple(name for name, _ in model.named_children() if name != HEAD)
normalize = next(step for step in prepare.transforms if isinstance(step, v2.Normalize))


def ready(images):
    """Pictures as the network takes them, `(n, 3, h, w)`; it takes any size, so they keep theirs."""
    return normalize(torch.from_numpy(images).permute(0, 3, 1, 2) / 255)


# %% framework="tensorflow"
base, prepare = load_network(BACKBONE.removesuffix("_narrow"), IMAGE_SIZE, include_top=False, pooling="avg", **NARROW)
model = add_head(base, prepare, num_classes)
HEAD = model.layers[-1]
HEAD_SIZE = HEAD.count_params()
model.summary(line_length=90)


def let_learn(parts, batch_norm=False):
    """The layers whose names begin like a part learn, and the head; BatchNorm is frozen one by one unless asked for."""
    base.trainable = True
    for layer in base.layers:
        asleep = isinstance(layer, layers.BatchNormalization) and not batch_norm
        layer.trainable = layer.name.startswith(parts) and not asleep


# %%
print(*(f"{kind}: {thousands(count)}" for kind, count in count_parameters(model).items()), sep="   ")

# %% [markdown] lang="en" framework="pytorch"
# ## 2. What moves in one step?
#
# Lesson 01 has shown that `requires_grad = False` does not hold everything. A network has two kinds of numbers, and
# PyTorch has a switch for each:
#
# | numbers | what moves them | switch |
# | --- | --- | --- |
# | weights | the optimizer, against their gradient | `requires_grad` |
# | BatchNorm's running mean and variance | each batch that passes through | `train()`, `eval()` |
#
# The second switch does one thing more. In `train()` BatchNorm normalises with the mean and variance *of the batch*, in
# `eval()` with those that it has collected. Let us set both switches in all four ways, take one step of training, and
# count what has moved in the backbone. Guess first: which of the four leaves everything as it is?

# %% [markdown] lang="en" framework="tensorflow"
# ## 2. What moves in one step?
#
# A network has two kinds of numbers: **weights**, which the optimizer moves against their gradient, and **BatchNorm's
# moving mean and variance**, which each batch in training mode moves. Keras has two switches, and lesson 01 has shown
# that they overlap:
#
# | switch | weights | BatchNorm's statistics |
# | --- | --- | --- |
# | `trainable = False` of a layer | do not learn | do not move, and are used in place of the batch's |
# | `training=False` in a call | learn | do not move, and are used in place of the batch's |
# | the same inside `fit`, in a model made of layers | learn | **move**: `fit` hands `training=True` to every layer |
#
# Let us set them in several ways, take one step of training, and count what has moved in the base. Guess first: where
# do weights learn while the statistics stay?

# %% [markdown] lang="es" framework="pytorch"
# ## 2. ¿Qué se mueve en un paso?
#
# La lección 01 mostró que `requires_grad = False` no lo fija todo. Una red tiene dos clases de números, y PyTorch, un
# interruptor para cada una:
#
# | números | qué los mueve | interruptor |
# | --- | --- | --- |
# | pesos | el optimizador, en contra de su gradiente | `requires_grad` |
# | media y varianza acumuladas de BatchNorm | cada lote que pasa | `train()`, `eval()` |
#
# El segundo interruptor hace algo más. En `train()`, BatchNorm normaliza con la media y la varianza *del lote*; en
# `eval()`, con las que ha acumulado. Pongamos los interruptores de las cuatro maneras posibles, demos un paso de
# entrenamiento y contemos qué se ha movido en la red base. Haga antes su apuesta: ¿cuál de las cuatro lo deja todo como
# está?

# %% [markdown] lang="es" framework="tensorflow"
# ## 2. ¿Qué se mueve en un paso?
#
# Una red tiene dos clases de números: los **pesos**, que el optimizador mueve en contra de su gradiente, y **la media y
# la varianza móviles de BatchNorm**, que se mueven con cada lote en modo de entrenamiento. Keras tiene dos
# interruptores, y la lección 01 mostró que se solapan:
#
# | interruptor | pesos | estadísticas de BatchNorm |
# | --- | --- | --- |
# | `trainable = False` en una capa | no aprenden | no se mueven, y se usan en lugar de las del lote |
# | `training=False` en una llamada | aprenden | no se mueven, y se usan en lugar de las del lote |
# | lo mismo dentro de `fit`, en un modelo hecho de capas | aprenden | **se mueven**: `fit` da `training=True` a cada capa |
#
# Pongámoslos de varias maneras, demos un paso de entrenamiento y contemos qué se ha movido en la base. Haga antes su
# apuesta: ¿dónde aprenden los pesos mientras las estadísticas quedan quietas?

# %% framework="pytorch"
x, y = ready(some.images).to(device), torch.from_numpy(some.labels).to(device)
torch.manual_seed(SEED)


def one_step(learns, training):
    """One step of training on a copy; how many arrays of its backbone moved: weights, and statistics."""
    net = copy.deepcopy(model).train(training)  # train(False) is eval()
    net.requires_grad_(learns)
    list(net.children())[-1].requires_grad_(True)  # the head always learns
    before = copy.deepcopy(net.state_dict())
    optimizer = optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    F.cross_entropy(net(x), y).backward()
    optimizer.step()
    moved = [name for name, value in net.state_dict().items() if not torch.equal(value, before[name])]
    moved = [name for name in moved if not name.startswith(HEAD) and "num_batches" not in name]
    return sum("running" not in name for name in moved), sum("running" in name for name in moved)


moved = {}
for learns in (False, True):
    for training in (False, True):
        moved[learns, training] = one_step(learns, training)
        print(f"requires_grad {learns!s:>5}, train({training!s:>5}): {words['weights']} {moved[learns, training][0]:>2}, "
              f"{words['statistics']} {moved[learns, training][1]:>2}")  # fmt: skip
held, ordinary = moved[False, False], moved[True, True]


# %% framework="tensorflow"
def one_step(inside_fit):
    """One step of training; how many arrays of the base moved: weights, and statistics."""
    before = {weight.path: weight.numpy() for weight in base.weights}
    optimizer = keras.optimizers.SGD(0.1)
    if inside_fit:
        model.compile(optimizer, loss_of, jit_compile=False)
        model.fit(some.images, some.labels, batch_size=len(some), verbose=0)
    else:  # a loop of our own
        with tf.GradientTape() as tape:
            loss = loss_of(some.labels, model(some.images, training=False))
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
    moved = [w.path for w in base.weights if not np.array_equal(w.numpy(), before[w.path])]
    return sum("moving" not in path for path in moved), sum("moving" in path for path in moved)


start, moved = model.get_weights(), {}
for name, parts, batch_norm in (("base frozen", (), False), ("all learns", "", True), ("BatchNorm frozen", "", False)):
    for inside_fit in (False, True):
        let_learn(parts, batch_norm)
        moved[name, inside_fit] = one_step(inside_fit)
        model.set_weights(start)
        print(f"{name:>16}, {'fit' if inside_fit else 'training=False':>14}: {words['weights']} {moved[name, inside_fit][0]:>2}, "
              f"{words['statistics']} {moved[name, inside_fit][1]:>2}")  # fmt: skip
held, ordinary = moved["base frozen", True], moved["all learns", True]

# %%
claim("held_means_held", sum(held))
claim("ordinary_training_moves_statistics", ordinary[1])

# %% [markdown] lang="en" framework="pytorch"
# *Arrays of the backbone that one step has moved.* Only both switches together hold all of it: `requires_grad = False`
# and `eval()`. For fine-tuning the third line is useful: `requires_grad = True` with `eval()`, that is, **weights learn
# while BatchNorm sleeps**. In this course `freeze` of a BatchNorm layer tells `train_epoch` to put that layer to sleep.
#
# Why should it sleep? In `train()` the answer for a picture depends on the other pictures of its batch. By how much?

# %% [markdown] lang="en" framework="tensorflow"
# *Arrays of the base that one step has moved.* With BatchNorm frozen layer by layer, **weights learn while the
# statistics stay**, in `fit` and in a loop of our own. With `training=False` alone that holds in our own loop only.
#
# Why should BatchNorm sleep? In training mode the answer for a picture depends on the other pictures of its batch. By
# how much?

# %% [markdown] lang="es" framework="pytorch"
# *Matrices de la red base que ha movido un solo paso.* Solo los dos interruptores juntos la fijan entera:
# `requires_grad = False` y `eval()`. Para el ajuste fino sirve la tercera línea: `requires_grad = True` con `eval()`,
# es decir, **los pesos aprenden mientras BatchNorm duerme**. En este curso, `freeze` aplicado a una capa BatchNorm
# indica a `train_epoch` que la ponga a dormir.
#
# ¿Por qué debería dormir? En `train()`, la respuesta para una imagen depende de las demás imágenes de su lote. ¿Cuánto?

# %% [markdown] lang="es" framework="tensorflow"
# *Matrices de la base que ha movido un solo paso.* Si se congela BatchNorm capa por capa, **los pesos aprenden mientras
# las estadísticas quedan quietas**, tanto en `fit` como en un bucle propio. Solo con `training=False`, eso vale
# únicamente en el bucle propio.
#
# ¿Por qué debería dormir BatchNorm? En modo de entrenamiento, la respuesta para una imagen depende de las demás
# imágenes de su lote. ¿Cuánto?


# %% framework="pytorch"
def answers_in_mode(images, training):
    """The logits of a copy of the network in one of the two modes."""
    net = copy.deepcopy(model).train(training)
    with torch.no_grad():
        return net(ready(images).to(device)).cpu().numpy()


# %% framework="tensorflow"
def answers_in_mode(images, training):
    """The logits in one of the two modes; what that moves is put back."""
    let_learn("", batch_norm=True)
    logits = model(images, training=training).numpy()
    model.set_weights(start)
    return logits


# %%
rng = np.random.default_rng(SEED)
changes, large = {}, min(16, len(data.val))
for training in (False, True):
    for size in (2, large):
        batches = [rng.choice(np.arange(1, len(data.val)), size - 1, replace=False) for _ in range(8)]
        rows = [answers_in_mode(data.val.images[np.append(0, others)], training)[0] for others in batches]
        changes[training, size] = np.std(rows, axis=0).mean() / np.abs(rows).mean()
        print(f"training={training!s:>5}, {words['batch_of']} {size:>2}: {percent(changes[training, size])}")
claim("companions_change_the_answer", 100 * changes[True, large])

# %% [markdown] lang="en"
# *How far the network's outputs for one and the same picture vary when its companions in the batch change, relative to
# their size.* The smaller the batch, the more they vary. Asleep, BatchNorm ignores companions.
#
# Many texts conclude that BatchNorm must sleep in fine-tuning. That is safe for small batches, and for a network that
# shall keep its old task (lesson 03b measures that). For the new task alone it is an open question, so section 4
# measures it.
#
# ## 3. How fast? A range test
#
# One number decides more than most: the learning rate. Too low, and nothing happens. Too high, and the network loses
# what it knew. Leslie Smith's **[range test](../../docs/glossary.md#learning-rate-range-test)** (2017) finds its scale
# in a minute: take some steps, let the rate grow from each to the next, and watch the loss. Where it rises, the steps
# are too long. We look for the rate from which the loss stays above the level where it began, and take a third of it.
#
# First comes what lesson 01 did in its section 10: `DRAWS` draws of labelled pictures, and for each a head, trained on
# features of the frozen backbone. **Everything below starts from these trained heads.** In this lesson no picture is
# flipped or shifted, so that all ways see the same pictures.

# %% [markdown] lang="es"
# *Cuánto varían las salidas de la red para una misma imagen, en relación con su tamaño, cuando cambian sus compañeras
# de lote.* Cuanto menor es el lote, más varían. Dormida, BatchNorm no atiende a las compañeras.
#
# Muchos textos concluyen que BatchNorm debe dormir durante el ajuste fino. Es lo seguro con lotes pequeños y en una red
# que debe conservar su tarea antigua (la lección 03b lo mide). Si solo importa la tarea nueva, la cuestión está
# abierta; por eso la sección 4 hace la medida.
#
# ## 3. ¿A qué velocidad? Una prueba de rango
#
# Un número decide más que casi todos los demás: la tasa de aprendizaje. Si es demasiado baja, no pasa nada. Si es
# demasiado alta, la red pierde lo que sabía. La **[prueba de rango de la
# tasa](../../docs/glosario.md#prueba-de-rango-de-la-tasa)** de Leslie Smith (2017) encuentra su orden de magnitud en un
# minuto: se dan algunos pasos, se aumenta la tasa de cada uno al siguiente y se observa la pérdida. Donde sube, los
# pasos son demasiado largos. Buscamos la tasa a partir de la cual la pérdida se queda por encima de su nivel inicial y
# tomamos la tercera parte.
#
# Antes hace falta lo que la lección 01 hizo en su sección 10: `DRAWS` sorteos de imágenes etiquetadas y, para cada uno,
# una cabeza entrenada con características de la red base congelada. **Todo lo que sigue parte de esas cabezas ya
# entrenadas.** En esta lección no se refleja ni se desplaza ninguna imagen, para que todas las opciones vean las
# mismas.


# %% framework="pytorch"
def rounds_of(x, y, steps=20):
    """Batches of 16, shuffled, over and over."""
    dataset = TensorDataset(x, y)
    return DataLoader(dataset, 16, sampler=RandomSampler(dataset, num_samples=16 * steps))


def prepared(images, labels):
    return ready(images), torch.from_numpy(labels)


def features_of(x):
    """The frozen backbone's features, `(n, features)`."""
    body = copy.deepcopy(model)
    body.load_state_dict(pretrained)
    replace_head(body, 0)
    return torch.from_numpy(predict(body, DataLoader(TensorDataset(x, x), 64)))


pretrained = copy.deepcopy(model.state_dict())


# %% framework="tensorflow"
def rounds_of(x, y, steps=20):
    """Batches of 16, shuffled, over and over."""
    return tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(y)).repeat().batch(16).take(steps)


def prepared(images, labels):
    return images, labels


def features_of(x):
    """The frozen backbone's features, `(n, features)`."""
    base.set_weights(pretrained)
    return base.predict(prepare(x.astype("float32")), verbose=0)


pretrained = base.get_weights()


# %% framework="pytorch"
def train_head(x, y, x_val, y_val, seed):
    """The weights of the network with a head that was trained until validation stopped, and its rounds."""
    torch.manual_seed(seed)
    head = nn.Linear(list(model.children())[-1].in_features, num_classes)
    val = DataLoader(TensorDataset(features_of(x_val), y_val), 64)
    optimizer = optim.AdamW(head.parameters(), lr=1e-2)
    history = fit(head, optimizer, rounds_of(features_of(x), y), val, patience=PATIENCE, epochs=ROUNDS)
    new = {f"{HEAD}.{name}": value for name, value in head.state_dict().items()}
    return pretrained | new, len(history["loss"])


# %% framework="tensorflow"
def train_head(x, y, x_val, y_val, seed):
    """The weights of the network with a head that was trained until validation stopped, and its rounds."""
    keras.utils.set_random_seed(seed)
    alone = keras.Sequential([keras.Input(base.output_shape[1:]), layers.Dense(num_classes)])
    val = tf.data.Dataset.from_tensor_slices((features_of(x_val), y_val)).batch(64)
    optimizer = keras.optimizers.AdamW(1e-2)
    history = fit(alone, optimizer, rounds_of(features_of(x), y), val, patience=PATIENCE, epochs=ROUNDS)
    HEAD.set_weights(alone.layers[-1].get_weights())
    return model.get_weights(), len(history["loss"])


# %%
draws = []
for k in range(DRAWS):
    drawn = data.train.per_class(LABELS, seed=100 * SEED + k)
    x, x_val, y, y_val = train_test_split(
        drawn.images, drawn.labels, test_size=max(num_classes, len(drawn) // 5), stratify=drawn.labels, random_state=k
    )
    pictures = (x, y) if k == 0 else pictures  # the first draw, for the script of section 7
    (x, y), (x_val, y_val) = prepared(x, y), prepared(x_val, y_val)
    weights, used = train_head(x, y, x_val, y_val, 100 * SEED + k)
    draws.append({"x": x, "y": y, "x_val": x_val, "y_val": y_val, "seed": 100 * SEED + k, "start": weights})
    print(k, len(x), "+", len(x_val), words["rounds"], used)

# %% [markdown] lang="en" framework="pytorch"
# `let_learn` says what learns: the parts that are named, and the head. The optimizer gets only those weights.

# %% [markdown] lang="en" framework="tensorflow"
# `let_learn` of section 1 says what learns: the layers whose names begin with a given text, and the head. The test is a
# loop of our own, since the rate changes at each step.

# %% [markdown] lang="es" framework="pytorch"
# `let_learn` dice qué aprende: las partes que se nombran y la cabeza. El optimizador recibe solo esos pesos.

# %% [markdown] lang="es" framework="tensorflow"
# `let_learn`, de la sección 1, dice qué aprende: las capas cuyos nombres empiezan por un texto dado, y la cabeza. La
# prueba es un bucle propio, porque la tasa cambia en cada paso.


# %% framework="pytorch"
def let_learn(parts, batch_norm=False):
    """These parts learn, and the head; BatchNorm sleeps unless asked for. Returns the weights that learn."""
    model.requires_grad_(False)
    for part in (*parts, HEAD):
        model.get_submodule(part).requires_grad_(True)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d) and not batch_norm:
            freeze(layer)  # `train_epoch` puts it into eval()
    return [weight for weight in model.parameters() if weight.requires_grad]


def range_test(draw, rates):
    """The loss of one batch after another, while the rate grows from step to step."""
    model.load_state_dict(draw["start"])
    optimizer, losses = optim.AdamW(let_learn(BODY)), []
    model.eval()  # BatchNorm sleeps; there is nothing else here that has modes
    for rate, (x, y) in zip(rates, rounds_of(draw["x"], draw["y"], len(rates))):
        optimizer.param_groups[0]["lr"] = rate
        loss = F.cross_entropy(model(x.to(device)), y.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses)


# %% framework="tensorflow"
BODY = ("",)  # every name begins with nothing


def range_test(draw, rates):
    """The loss of one batch after another, while the rate grows from step to step."""
    model.set_weights(draw["start"])
    let_learn(BODY)
    optimizer, losses = keras.optimizers.AdamW(), []

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=False))
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
        return loss

    optimizer.build(model.trainable_variables)
    for rate, (x, y) in zip(rates, rounds_of(draw["x"], draw["y"], len(rates))):
        optimizer.learning_rate = rate
        losses.append(float(step(x, y)))
    return np.array(losses)


# %%
rates = np.geomspace(1e-5, 0.1, 60)
tests = np.array([range_test(draw, rates) for draw in draws])
loss = tests.mean(0)  # the mean of the draws: less noise
smooth = np.array([loss[max(0, k - 4) : k + 5].mean() for k in range(len(loss))])
worse = smooth > smooth[:9].mean()
turn = rates[np.flatnonzero(~worse)[-1] + 1 if worse[-1] else -1]  # from here on it stays above where it began
RATE = float(f"{turn / 3:.1g}")
print(f"{words['turn']}: {turn:.2g}; {words['advice']}: {RATE:g}")

# %%
fig, ax = plots.plt.subplots(figsize=(6, 3.2), layout="constrained")
for losses in tests:
    ax.plot(rates, losses, color="#BBBBBB", linewidth=0.8)
ax.plot(rates, smooth, color=plots.COLOURS[0], linewidth=2, label=words["smooth"])
ax.axvline(turn, color=plots.COLOURS[1], linestyle=":", label=words["turn"])
ax.axvline(RATE, color=plots.COLOURS[2], linestyle="--", label=words["advice"])
ax.set(
    xscale="log", xlabel=words["rate_axis"], ylabel=words["loss_axis"], ylim=(0, 2 * max(smooth[0], num_classes**0.25))
)
ax.legend(frameon=False, loc="upper left")
plots.tidy(ax)

# %% [markdown] lang="en"
# *The loss of single batches (grey, one line a draw) and smoothed (blue), while the rate grows from left to right.*
#
# The test advises the rate that the cell has printed. **From here on we follow it.** Section 5 asks whether it was good
# advice.
#
# ## 4. How much should learn?
#
# There is a ladder, from the least to the most:
#
# - **head**: nothing but the new head; we have that already;
# - **last stage**: the last group of layers too;
# - **gradual** ([gradual unfreezing](../../docs/glossary.md#gradual-unfreezing); Howard and Ruder, 2018): first the
#   last stage, then the last two, then all;
# - **all**: the whole network, BatchNorm asleep;
# - **BatchNorm awake**: the whole network, and BatchNorm in training mode, with its weights and statistics.
#
# What makes the comparison fair: each starts from the same trained head, sees the same pictures, has the advised rate
# and stops by the same rule. (Gradual has three phases, and the rule holds for each. The range test was made for *all*:
# the others might do better at a rate of their own.) What do you expect?

# %% [markdown] lang="es"
# *La pérdida de cada lote (gris, una línea por sorteo) y suavizada (azul), mientras la tasa crece de izquierda a
# derecha.*
#
# La prueba aconseja la tasa que ha impreso la celda. **A partir de aquí la seguimos.** La sección 5 pregunta si el
# consejo era bueno.
#
# ## 4. ¿Cuánto debe aprender?
#
# Hay una escalera, de menos a más:
#
# - **cabeza**: nada más que la cabeza nueva; ya la tenemos;
# - **última etapa**: también el último grupo de capas;
# - **gradual** ([descongelación gradual](../../docs/glosario.md#descongelación-gradual); Howard y Ruder, 2018): primero
#   la última etapa, después las dos últimas y por fin toda la red;
# - **toda**: la red entera, con BatchNorm dormida;
# - **BatchNorm despierta**: la red entera, y BatchNorm en modo de entrenamiento, con sus pesos y sus estadísticas.
#
# ¿Qué hace justa la comparación? Todas parten de la misma cabeza entrenada, ven las mismas imágenes, tienen la tasa
# aconsejada y paran según la misma regla. (La gradual tiene tres fases, y la regla vale para cada una. La prueba de
# rango se hizo con *toda*: quizá a las demás les convenga otra tasa). ¿Qué cree que va a pasar?


# %% framework="pytorch"
def train(draw, parts, rate, batch_norm=False, weights=None, optimizer_of=None):
    """Trains until validation stops; the weights after it, rounds and what learnt.

    `optimizer_of` makes an optimizer of a rate; AdamW with that rate for all when None.
    """
    model.load_state_dict(draw["start"] if weights is None else weights)
    learning = let_learn(parts, batch_norm)
    torch.manual_seed(draw["seed"])
    optimizer = optim.AdamW(learning, lr=rate) if optimizer_of is None else optimizer_of(rate)
    val = DataLoader(TensorDataset(draw["x_val"], draw["y_val"]), 64)
    history = fit(model, optimizer, rounds_of(draw["x"], draw["y"]), val, patience=PATIENCE, epochs=ROUNDS)
    return copy.deepcopy(model.state_dict()), len(history["loss"]), count_parameters(model)["trainable"]


def right_of(weights):
    """Which test pictures the network with these weights gets right."""
    model.load_state_dict(weights)
    return predict(model, DataLoader(TensorDataset(x_test, y_test), 64)).argmax(1) == data.test.labels


x_test, y_test = prepared(data.test.images, data.test.labels)


# %% framework="tensorflow"
def train(draw, parts, rate, batch_norm=False, weights=None, optimizer_of=None):
    """Trains until validation stops; the weights after it, rounds and what learnt.

    `optimizer_of` makes an optimizer of a rate; AdamW with that rate for all when None.
    """
    model.set_weights(draw["start"] if weights is None else weights)
    let_learn(parts, batch_norm)
    keras.utils.set_random_seed(draw["seed"])
    optimizer = keras.optimizers.AdamW(rate) if optimizer_of is None else optimizer_of(rate)
    val = tf.data.Dataset.from_tensor_slices((draw["x_val"], draw["y_val"])).batch(64)
    history = fit(model, optimizer, rounds_of(draw["x"], draw["y"]), val, patience=PATIENCE, epochs=ROUNDS)
    return model.get_weights(), len(history["loss"]), count_parameters(model)["trainable"]


def right_of(weights):
    """Which test pictures the network with these weights gets right."""
    model.set_weights(weights)
    return model.predict(data.test.images, batch_size=64, verbose=0).argmax(1) == data.test.labels


# %%
LAST = {"efficientnet_lite0": ("blocks.5", "blocks.6", "conv_head", "bn2")}.get(BACKBONE, ("layer4",))
LAST_TWO = {"efficientnet_lite0": ("blocks.3", "blocks.4", *LAST)}.get(BACKBONE, ("layer3", "layer4"))
right, used, learnt = {}, {}, {}


def note(way, weights, rounds, parameters):
    right.setdefault(way, []).append(right_of(weights))
    used.setdefault(way, []).append(rounds)
    learnt[way] = parameters


for draw in draws:
    note("head", draw["start"], 0, HEAD_SIZE)
    note("last", *train(draw, LAST, RATE))
    note("all", *train(draw, BODY, RATE))
    note("awake", *train(draw, BODY, RATE, batch_norm=True))
    weights, rounds = None, 0
    for parts in (LAST, LAST_TWO, BODY):
        weights, more, parameters = train(draw, parts, RATE, weights=weights)
        rounds += more
    note("gradual", weights, rounds, parameters)

# %%
estimates = {words[way]: metrics.accuracy_estimate([run.mean() for run in runs], len(data.test))
             for way, runs in right.items()}  # fmt: skip
for way, parameters in learnt.items():
    print(f"{words[way]:>20}: {estimates[words[way]]}  {thousands(parameters):>9} {words['weights_learn']}, "
          f"{np.mean(used[way]):4.0f} {words['rounds']}")  # fmt: skip
ax = plots.plot_estimates(estimates, language=LANGUAGE)

# %% [markdown] lang="en"
# *Accuracy on the test pictures, mean of the draws, with its 95 % interval. Above: how many weights learnt, and the
# mean number of rounds after the head's.*
#
# The intervals are wide, since they hold for other test pictures and other draws. The ways share both, so we compare
# them image by image and draw by draw.

# %% [markdown] lang="es"
# *Exactitud con las imágenes de prueba, media de los sorteos, con su intervalo del 95 %. Encima: cuántos pesos han
# aprendido y el número medio de rondas, sin contar las de la cabeza.*
#
# Los intervalos son anchos, porque valen para otras imágenes de prueba y otros sorteos. Las opciones comparten ambas
# cosas, así que las comparamos imagen por imagen y sorteo por sorteo.


# %%
def difference(one, other):
    """How much better `other` is than `one`, printed in words."""
    found = metrics.paired_difference(right[one], right[other])
    print(f"{words[other]} {words['against']} {words[one]}: {metrics.describe_difference(found, LANGUAGE)}")
    return found


pairs = [("head", "last"), ("head", "all"), ("last", "all"), ("all", "gradual"), ("all", "awake")]
gains = {pair: difference(*pair) for pair in pairs}

# %%
claim("all_beats_the_head", 100 * gains["head", "all"])
claim("last_is_no_loss", 100 * gains["head", "last"].value)
claim("gradual_is_not_needed", 100 * gains["all", "gradual"].value)
claim("awake_does_not_help", 100 * gains["all", "awake"].value)

# %% [markdown] lang="en"
# On these sketches fine-tuning pays a little: the network learnt from photos, and tuning all of it gains a few points
# over the trained head. How many differs from seed to seed. In seven runs of ours, five in PyTorch and two in
# TensorFlow, it was 1 to 7 points, and in five of them the interval contained zero. The last stage alone, three
# quarters of the weights, gained 1 to 5. Where a line above says "no difference", this test cannot rank the two; then
# take the simpler one. Gradual unfreezing costs three trainings, and helped in one of the seven runs. Howard and Ruder
# found that it helped with language models.
#
# And BatchNorm? Awake it was behind on the new task in six of the seven runs, by 2 to 6 points, though no interval left
# out zero; perhaps because batches of 16 are small for its means and variances. What it does to the old task is another
# matter: lesson 03b.

# %% [markdown] lang="es"
# Con estos bocetos el ajuste fino compensa un poco: la red aprendió de fotos, y ajustarla entera gana unos puntos sobre
# la cabeza entrenada. Cuántos, depende de la semilla. En siete ejecuciones nuestras, cinco en PyTorch y dos en
# TensorFlow, fueron de 1 a 7 puntos, y en cinco de ellas el intervalo contenía el cero. La última etapa sola, tres
# cuartas partes de los pesos, ganó de 1 a 5. Donde una línea de arriba dice «ninguna diferencia», esta prueba no puede
# ordenar las dos opciones; entonces, tome la más sencilla. La descongelación gradual cuesta tres entrenamientos, y
# sirvió en una de las siete ejecuciones. A Howard y Ruder les sirvió con modelos de lenguaje.
#
# ¿Y BatchNorm? Despierta, quedó por detrás en la tarea nueva en seis de las siete ejecuciones, de 2 a 6 puntos, aunque
# ningún intervalo excluía el cero; quizá porque los lotes de 16 son pequeños para sus medias y varianzas. Lo que le
# hace a la tarea antigua es otra cuestión: la lección 03b.

# %% [markdown] lang="en" framework="pytorch"
# **Your turn (1).** A network that you have not seen here: ResNet-18. Let its `layer4` and its head `fc` learn, and
# nothing else. All BatchNorm layers shall be in `eval()`, and their weights in `layer4` may learn or not, as you like.
# Go through `net.named_parameters()`: the names begin with the names of the parts.

# %% [markdown] lang="en" framework="tensorflow"
# **Your turn (1).** A network that you have not seen here: a MobileNetV2 without its head. Let its last block learn,
# the layers whose names begin with `block_16`, and nothing else. No BatchNorm layer shall learn or move, not even
# inside `fit`.

# %% [markdown] lang="es" framework="pytorch"
# **Le toca a usted (1).** Una red que aquí no ha visto: ResNet-18. Haga que aprendan su `layer4` y su cabeza `fc`, y
# nada más. Todas las capas BatchNorm deben estar en `eval()`; sus pesos en `layer4` pueden aprender o no, como
# prefiera. Recorra `net.named_parameters()`: los nombres empiezan por los de las partes.

# %% [markdown] lang="es" framework="tensorflow"
# **Le toca a usted (1).** Una red que aquí no ha visto: una MobileNetV2 sin su cabeza. Haga que aprenda su último
# bloque, las capas cuyos nombres empiezan por `block_16`, y nada más. Ninguna capa BatchNorm debe aprender ni moverse,
# tampoco dentro de `fit`.


# %% framework="pytorch" tags=["folded"]
def check_last_stage(open_last_stage):
    net = models.resnet18(num_classes=5).train()
    open_last_stage(net)
    norms = {id(weight) for part in net.modules() if isinstance(part, nn.BatchNorm2d) for weight in part.parameters()}
    inside = {name: name.startswith(("layer4", "fc")) for name, _ in net.named_parameters()}
    learns = {name: weight.requires_grad for name, weight in net.named_parameters()}
    free = {name for name, weight in net.named_parameters() if inside[name] and id(weight) in norms}
    if any(learns[name] for name in learns if not inside[name]):
        print("✘", words["too_much_learns"], next(name for name in learns if learns[name] and not inside[name]))
    elif not all(learns[name] for name in learns if inside[name] and name not in free):
        print("✘", words["too_little_learns"], next(n for n in learns if inside[n] and n not in free and not learns[n]))
    elif any(part.training for part in net.modules() if isinstance(part, nn.BatchNorm2d)):
        print("✘", words["batch_norm_awake"])
    else:
        print("✔", words["right"])


# %% framework="tensorflow" tags=["folded"]
def check_last_stage(open_last_stage):
    net = keras.applications.MobileNetV2(weights=None, include_top=False, pooling="avg", input_shape=(32, 32, 3))
    open_last_stage(net)
    learns = {id(weight) for weight in net.trainable_weights}
    norms = [layer for layer in net.layers if isinstance(layer, layers.BatchNormalization)]
    others = [layer for layer in net.layers if layer.weights and layer not in norms]
    outside = [x.name for x in others if not x.name.startswith("block_16") and any(id(w) in learns for w in x.weights)]
    inside = [x.name for x in others if x.name.startswith("block_16") and not all(id(w) in learns for w in x.weights)]
    if outside:
        print("✘", words["too_much_learns"], outside[0])
    elif inside:
        print("✘", words["too_little_learns"], inside[0])
    elif any(layer.trainable for layer in norms):
        print("✘", words["batch_norm_awake"])
    else:
        print("✔", words["right"])


# %% framework="pytorch"
def open_last_stage(net):
    """Only `layer4` and `fc` of a ResNet-18 learn; BatchNorm sleeps."""
    # write here


check_last_stage(open_last_stage)


# %% framework="tensorflow"
def open_last_stage(net):
    """Only the layers `block_16...` of a MobileNetV2 learn; BatchNorm sleeps."""
    # write here


check_last_stage(open_last_stage)


# %% framework="pytorch" tags=["solution"]
def open_last_stage(net):
    for name, parameter in net.named_parameters():
        parameter.requires_grad = name.startswith(("layer4", "fc"))
    net.eval()  # or, in a loop that calls train(): every BatchNorm layer by itself


check_last_stage(open_last_stage)


# %% framework="tensorflow" tags=["solution"]
def open_last_stage(net):
    net.trainable = True
    for layer in net.layers:
        norm = isinstance(layer, layers.BatchNormalization)
        layer.trainable = layer.name.startswith("block_16") and not norm


check_last_stage(open_last_stage)

# %% [markdown] lang="en"
# ## 5. Was the advice good?
#
# We take all of the network again, with ten times the advised rate and with a hundred times as much. Same heads, same
# pictures, same rule. Guess: does either of them do harm?

# %% [markdown] lang="es"
# ## 5. ¿Era bueno el consejo?
#
# Tomamos otra vez toda la red, con una tasa diez veces mayor que la aconsejada y con otra cien veces mayor. Las mismas
# cabezas, las mismas imágenes, la misma regla. Haga su apuesta: ¿hace daño alguna de las dos?

# %%
factors = {"all": 1, "ten_times": 10, "hundred_times": 100}
for draw in draws:
    for way in ("ten_times", "hundred_times"):
        note(way, *train(draw, BODY, factors[way] * RATE))
found = {way: difference("all", way) for way in ("ten_times", "hundred_times")}

# %%
fig, ax = plots.plt.subplots(figsize=(6, 3.2), layout="constrained")
runs = 100 * np.array([[run.mean() for run in right[way]] for way in factors])
tried = [factor * RATE for factor in factors.values()]
ax.plot(tried, runs, "o", color=plots.COLOURS[0], alpha=0.35)
ax.plot(tried, runs.mean(1), "o-", color=plots.COLOURS[0], label=words["all"])
ax.axhline(100 * np.mean(right["head"]), color=plots.COLOURS[1], linestyle="--", label=words["head"])
ax.axvline(RATE, color=plots.COLOURS[2], linestyle=":", label=words["advice"])
ax.set(xscale="log", xlabel=words["rate_axis"], ylabel=words["accuracy_axis"])
ax.legend(frameon=False)
plots.tidy(ax)
claim("advice_is_near_the_best", runs.mean(1).max() - runs.mean(1)[0])
claim("hundred_times_destroys", -100 * found["hundred_times"].value)

# %% [markdown] lang="en"
# *Accuracy after fine-tuning all of the network, over the rate: means (line) and single draws (pale). The dashed line
# is the trained head alone.*
#
# At the advised rate all goes well. At ten times that rate most trainings go well too, and some do not: in our seven
# runs the mean was between 8 points behind and 3 points ahead, and in one of them a draw ended 8 points below the mean
# of the heads. A rate a hundred times as high destroys the network at once, and it ends far below the head that it
# started with. Early stopping does not save it: already the first round is too much. So below the rate at which the
# loss begins to rise one is on the safe side: somewhat above it most trainings went well, and some did not. Lower rates
# we did not try here; in lesson 03b a tenth took more rounds.
#
# ### Rates by part
#
# Early layers hold edges and colours, which the new task can use as they are. So one may let them learn more slowly:
# [**discriminative learning rates**](../../docs/glossary.md#discriminative-learning-rates) (Howard and Ruder, 2018),
# here each part 2.6 times as slowly as the one after it.

# %% [markdown] lang="es"
# *Exactitud tras el ajuste fino de toda la red, según la tasa: medias (línea) y sorteos (pálidos). La línea discontinua
# es la cabeza entrenada, sola.*
#
# Con la tasa aconsejada todo va bien. Con una diez veces mayor, casi todos los entrenamientos van bien también, pero no
# todos: en nuestras siete ejecuciones, la media quedó entre 8 puntos por detrás y 3 por delante, y en una de ellas un
# sorteo acabó 8 puntos por debajo de la media de las cabezas. Una tasa cien veces mayor destruye la red enseguida, y
# esta acaba muy por debajo de la cabeza de la que partió. La parada temprana no la salva: ya la primera ronda es
# demasiado. Así que por debajo de la tasa con la que la pérdida empieza a subir se va sobre seguro: algo por encima,
# casi todos los entrenamientos fueron bien, y alguno no. Tasas más bajas no las hemos probado aquí; en la lección 03b,
# la décima parte necesitó más rondas.
#
# ### Tasas por parte
#
# Las primeras capas guardan bordes y colores, que a la tarea nueva le sirven tal como están. Así que se puede hacer que
# aprendan más despacio: son las [**tasas de aprendizaje
# discriminativas**](../../docs/glosario.md#tasas-de-aprendizaje-discriminativas) (Howard y Ruder, 2018); aquí, cada
# parte 2.6 veces más despacio que la siguiente.

# %% [markdown] lang="en" framework="pytorch"
# In PyTorch an optimizer takes **parameter groups**, each a dictionary with weights and a rate.

# %% [markdown] lang="en" framework="tensorflow"
# A Keras optimizer has one rate for all. There are two ways out: two optimizers in a loop of your own (exercise 2), or
# an optimizer whose step multiplies the rate by a factor of each variable's own, so that `fit` stays as it is. Keras
# calls `update_step` once for each variable.

# %% [markdown] lang="es" framework="pytorch"
# En PyTorch, un optimizador acepta **grupos de parámetros**: cada uno es un diccionario con unos pesos y una tasa.

# %% [markdown] lang="es" framework="tensorflow"
# Un optimizador de Keras tiene una sola tasa para todo. Hay dos salidas: dos optimizadores en un bucle propio
# (ejercicio 2), o un optimizador cuyo paso multiplique la tasa por un factor de cada variable, de modo que `fit` siga
# igual. Keras llama a `update_step` una vez por variable.


# %% framework="pytorch"
def by_part(rate):
    """AdamW with the rate for the head, and for each part before it 1 / 2.6 of the rate of the part after it."""
    groups = []
    for _, part in reversed(list(model.named_children())):
        weights = [weight for weight in part.parameters() if weight.requires_grad]
        if weights:
            groups.append({"params": weights, "lr": rate / 2.6 ** len(groups)})
    return optim.AdamW(groups)


print([f"{group['lr']:.2g}" for group in by_part(RATE).param_groups])


# %% framework="tensorflow"
class RatesByPart(keras.optimizers.AdamW):
    """AdamW with a factor on the rate of each variable."""

    def __init__(self, rate, variables, factors):
        super().__init__(rate)
        self.factors = {variable.value.ref(): factor for variable, factor in zip(variables, factors)}

    def update_step(self, gradient, variable, learning_rate):  # TensorFlow's own variable comes, known by its `ref()`
        super().update_step(gradient, variable, learning_rate * self.factors[variable.ref()])


def by_part(rate):
    """AdamW with the rate for the head, and for each part before it 1 / 2.6 of the rate of the part after it."""
    names = [variable.path.split("/")[-2].split(".")[0] for variable in model.trainable_variables]
    parts = list(dict.fromkeys(reversed(names)))  # from the head to the pixels, each once
    return RatesByPart(rate, model.trainable_variables, [2.6 ** -parts.index(name) for name in names])


let_learn(BODY)
print([f"{RATE * factor:.2g}" for factor in sorted({*by_part(RATE).factors.values()}, reverse=True)])


# %%
for draw in draws:
    note("by_part", *train(draw, BODY, RATE, optimizer_of=by_part))
parts_gain = difference("all", "by_part")
claim("rates_by_part_gain_little", 100 * parts_gain.value)

# %% [markdown] lang="en" framework="pytorch"
# With rates by part the network gains nothing here that this test can see: perhaps because most of its layers hardly
# move any more. With larger data and longer training, others found a gain, and in two runs of ours on photos, one a
# framework, they were 5 and 8 points ahead. So measure.
#
# **Your turn (2).** The commonest form has two groups: the backbone at a low rate, and the head at ten times that.
# Return the groups for an optimizer. The head of `net` is its last child, whatever its name, and weights that do not
# learn belong to no group.

# %% [markdown] lang="en" framework="tensorflow"
# With rates by part the network gains nothing here that this test can see: perhaps because most of its layers hardly
# move any more. With larger data and longer training, others found a gain, and in two runs of ours on photos, one a
# framework, they were 5 and 8 points ahead. So measure.
#
# **Your turn (2).** The commonest form has two rates: a low one for the base, and ten times that for the head. Take one
# step with two optimizers: `slow` for all that learns but the last layer of `net`, and `fast` for that layer. The
# outputs of `net` are logits, and the labels integers.

# %% [markdown] lang="es" framework="pytorch"
# Con tasas por parte la red no gana aquí nada que esta prueba pueda ver: quizá porque la mayoría de sus capas ya apenas
# se mueve. Con más datos y entrenamientos más largos, otros encontraron una mejora, y en dos ejecuciones nuestras con
# fotos, una por biblioteca, iban 5 y 8 puntos por delante. Así que mídalo.
#
# **Le toca a usted (2).** La forma más corriente tiene dos grupos: la red base con una tasa baja y la cabeza con una
# diez veces mayor. Devuelva los grupos para un optimizador. La cabeza de `net` es su último hijo, se llame como se
# llame, y los pesos que no aprenden no van en ningún grupo.

# %% [markdown] lang="es" framework="tensorflow"
# Con tasas por parte la red no gana aquí nada que esta prueba pueda ver: quizá porque la mayoría de sus capas ya apenas
# se mueve. Con más datos y entrenamientos más largos, otros encontraron una mejora, y en dos ejecuciones nuestras con
# fotos, una por biblioteca, iban 5 y 8 puntos por delante. Así que mídalo.
#
# **Le toca a usted (2).** La forma más corriente tiene dos tasas: una baja para la base y otra diez veces mayor para la
# cabeza. Dé un paso con dos optimizadores: `slow` para todo lo que aprende salvo la última capa de `net`, y `fast` para
# esa capa. Las salidas de `net` son logits, y las etiquetas, enteros.


# %% framework="pytorch" tags=["folded"]
def check_groups(two_groups):
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3))
    net[1].requires_grad_(False)
    groups = two_groups(net, 0.001)
    if not isinstance(groups, list | tuple) or not all(isinstance(g, dict) and "params" in g for g in groups):
        print("✘", words["no_groups"])
        return
    rates = {id(w): group.get("lr") for group in optim.SGD(groups, lr=99.0).param_groups for w in group["params"]}
    head, body = [id(w) for w in net[3].parameters()], [id(w) for w in net[0].parameters()]
    if not set(head + body) <= set(rates):
        print("✘", words["weights_missing"])
    elif any(id(w) in rates for w in net[1].parameters()):
        print("✘", words["frozen_in_group"])
    elif any(not np.isclose(rates[w], 0.001) for w in body) or any(not np.isclose(rates[w], 0.01) for w in head):
        print("✘", words["wrong_rates"], sorted({rates[w] for w in body}), sorted({rates[w] for w in head}))
    else:
        print("✔", words["right"])


# %% framework="tensorflow" tags=["folded"]
def check_two_rates(two_rates):
    keras.utils.set_random_seed(0)
    net = keras.Sequential([keras.Input((4,)), layers.Dense(5, "tanh"), layers.Dense(6), layers.Dense(3)])
    net.layers[1].trainable = False
    x, y = tf.random.normal((16, 4)), tf.constant([0, 1, 2, 0] * 4)
    with tf.GradientTape() as tape:
        loss = loss_of(y, net(x))
    variables = [net.layers[0].kernel, net.layers[1].kernel, net.layers[2].kernel]
    slopes = [slope.numpy() for slope in tape.gradient(loss, variables)]
    before = [v.numpy() for v in variables]
    two_rates(net, x, y, keras.optimizers.SGD(0.1), keras.optimizers.SGD(1.0))
    moves = [old - v.numpy() for old, v in zip(before, variables)]
    if not any(np.any(move) for move in moves):
        print("✘", words["did_not_move"])
    elif np.any(moves[1]):
        print("✘", words["frozen_moved"])
    elif not all(np.any(moves[k]) for k in (0, 2)):
        print("✘", words["weights_missing"])
    elif not all(np.allclose(moves[k], rate * slopes[k], rtol=0.01, atol=1e-6) for k, rate in ((0, 0.1), (2, 1.0))):
        print("✘", words["wrong_rates"])
    else:
        print("✔", words["right"])


# %% framework="pytorch"
def two_groups(net, rate):
    """A list of groups: the backbone with `rate`, the head (the last child of `net`) with ten times that."""
    # write here


check_groups(two_groups)


# %% framework="tensorflow"
def two_rates(net, x, y, slow, fast):
    """One step of training: `fast` moves the last layer of `net`, `slow` all else that learns."""
    # write here


check_two_rates(two_rates)


# %% framework="pytorch" tags=["solution"]
def two_groups(net, rate):
    *body, head = net.children()
    weights = [weight for part in body for weight in part.parameters() if weight.requires_grad]
    return [{"params": weights, "lr": rate}, {"params": list(head.parameters()), "lr": 10 * rate}]


check_groups(two_groups)


# %% framework="tensorflow" tags=["solution"]
def two_rates(net, x, y, slow, fast):
    head = net.layers[-1].trainable_variables
    body = [variable for layer in net.layers[:-1] for variable in layer.trainable_variables]
    with tf.GradientTape() as tape:
        loss = loss_of(y, net(x, training=True))
    gradients = tape.gradient(loss, body + head)
    slow.apply_gradients(zip(gradients[: len(body)], body))
    fast.apply_gradients(zip(gradients[len(body) :], head))


check_two_rates(two_rates)

# %% [markdown] lang="en"
# ### And a real network?
#
# The numbers above are those of a small network and of drawings. Deeper networks want lower rates. Usual are **1e-5 to
# 1e-4 for the backbone, and ten times that for the head**. The next cell tries it with `efficientnet_lite0`: from the
# trained head, 60 steps at each of several rates, BatchNorm asleep, the head at ten times the rate. It runs where the
# backbone is that network, as with `notebooks/params/photos.yaml`; with the small one it prints nothing.
#
# What came of it on photos, in one run of ours in PyTorch: 37 breeds, three photos of each to learn from, 111 to be
# tested on. The trained head alone was right on 82 %. Fine-tuned at 1e-5 the network was right on 83 %, which is no
# difference that this test can see; at 1e-4 on 76 %, seven photos fewer, which may be chance too; at 1e-3 on 33 %, and
# that is none. With so few photos a good head leaves little to gain and much to lose, so begin at the lower end.

# %% [markdown] lang="es"
# ### ¿Y una red de verdad?
#
# Los números de arriba son los de una red pequeña y de unos dibujos. Las redes más profundas piden tasas más bajas. Lo
# habitual es **de 1e-5 a 1e-4 para la red base y una tasa diez veces mayor para la cabeza**. La celda siguiente lo
# prueba con `efficientnet_lite0`: desde la cabeza entrenada, 60 pasos con cada una de varias tasas, BatchNorm dormida y
# la cabeza con una tasa diez veces mayor. Se ejecuta si la red base es esa, como con `notebooks/params/photos.yaml`;
# con la pequeña no imprime nada.
#
# Esto dio con fotos, en una ejecución nuestra en PyTorch: 37 razas, tres fotos de cada una para aprender y 111 de
# prueba. La cabeza entrenada, sola, acertó el 82 %. Con el ajuste fino a 1e-5, la red acertó el 83 %, una diferencia
# que esta prueba no ve; a 1e-4, el 76 %, siete fotos menos, que también pueden ser azar; a 1e-3, el 33 %, y eso ya no
# lo es. Con tan pocas fotos, una buena cabeza deja poco que ganar y mucho que perder, así que empiece por el extremo
# bajo.


# %% framework="pytorch"
def sixty_steps(draw, rate):
    """Sixty steps from the trained head: the backbone at a rate, the head at ten times that."""
    model.load_state_dict(draw["start"])
    *body, last = (list(part.parameters()) for part in model.children())
    let_learn(BODY)
    model.eval()
    weights = [weight for part in body for weight in part if weight.requires_grad]
    optimizer = optim.AdamW([{"params": weights, "lr": rate}, {"params": last, "lr": 10 * rate}])
    for x, y in rounds_of(draw["x"], draw["y"], 60):
        loss = F.cross_entropy(model(x.to(device)), y.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return copy.deepcopy(model.state_dict())


# %% framework="tensorflow"
def sixty_steps(draw, rate):
    """Sixty steps from the trained head: the base at a rate, the head at ten times that."""
    model.set_weights(draw["start"])
    let_learn(BODY)
    variables = model.trainable_variables  # the last two are the head's
    factors = [1.0] * (len(variables) - 2) + [10.0, 10.0]
    model.compile(RatesByPart(rate, variables, factors), loss_of, jit_compile=False)
    model.fit(rounds_of(draw["x"], draw["y"], 60), shuffle=False, verbose=0)
    return model.get_weights()


# %%
for rate in (1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 1e-2) if BACKBONE == "efficientnet_lite0" else ():
    found = metrics.wilson_interval(float(right_of(sixty_steps(draws[0], rate)).mean()), len(data.test))
    print(f"{rate:>8g}: {found}")

# %% [markdown] lang="en" framework="pytorch"
# ## 6. A schedule
#
# `fit` lowers the rate when validation stalls. Many scripts fix the whole course of the rate beforehand instead: a
# [**schedule**](../../docs/glossary.md#schedule). The commonest falls along a cosine. Often a
# [**warm-up**](../../docs/glossary.md#warm-up) stands before it: the rate climbs in the first steps, while Adam still
# knows little about the size of the gradients. A cosine alone has **no** warm-up:

# %% [markdown] lang="en" framework="tensorflow"
# ## 6. A schedule
#
# `fit` lowers the rate when validation stalls. Many scripts fix the whole course of the rate beforehand instead: a
# [**schedule**](../../docs/glossary.md#schedule). The commonest falls along a cosine. Often a
# [**warm-up**](../../docs/glossary.md#warm-up) stands before it: the rate climbs in the first steps, while Adam still
# knows little about the size of the gradients. A cosine alone has **no** warm-up:

# %% [markdown] lang="es" framework="pytorch"
# ## 6. Un plan de la tasa
#
# `fit` reduce la tasa cuando la validación se estanca. Muchos programas, en cambio, fijan de antemano todo el recorrido
# de la tasa: un [**plan de la tasa**](../../docs/glosario.md#plan-de-la-tasa) (*schedule*). El más corriente baja
# siguiendo un coseno. A menudo lo precede un [**calentamiento**](../../docs/glosario.md#calentamiento): la tasa sube en
# los primeros pasos, mientras Adam aún sabe poco del tamaño de los gradientes. Un coseno solo **no** tiene
# calentamiento:

# %% [markdown] lang="es" framework="tensorflow"
# ## 6. Un plan de la tasa
#
# `fit` reduce la tasa cuando la validación se estanca. Muchos programas, en cambio, fijan de antemano todo el recorrido
# de la tasa: un [**plan de la tasa**](../../docs/glosario.md#plan-de-la-tasa) (*schedule*). El más corriente baja
# siguiendo un coseno. A menudo lo precede un [**calentamiento**](../../docs/glosario.md#calentamiento): la tasa sube en
# los primeros pasos, mientras Adam aún sabe poco del tamaño de los gradientes. Un coseno solo **no** tiene
# calentamiento:


# %% framework="pytorch"
def course_of(make_schedule, steps=100):
    """The rate at each step, from 1."""
    optimizer = optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule, rates = make_schedule(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


cosine = course_of(lambda optimizer: optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100))


# %% framework="tensorflow"
def course_of(schedule, steps=100):
    """The rate at each step."""
    return [float(schedule(step)) for step in range(steps)]


cosine = course_of(keras.optimizers.schedules.CosineDecay(1.0, decay_steps=100))

# %%
fig, ax = plots.plt.subplots(figsize=(5, 2.6), layout="constrained")
ax.plot(cosine, color=plots.COLOURS[0])
ax.set(xlabel=words["step_axis"], ylabel=words["share_axis"], ylim=(0, 1.05))
plots.tidy(ax)
print(f"{words['first_step']}: {percent(cosine[0])}")

# %% [markdown] lang="en"
# *The learning rate along a cosine, as a share of its highest value. It begins at the top.*

# %% [markdown] lang="es"
# *La tasa de aprendizaje a lo largo de un coseno, como parte de su valor más alto. Empieza en lo más alto.*

# %% [markdown] lang="en" framework="pytorch"
# **Your turn (3).** Write the schedule with a warm-up: over `warmup` steps the rate climbs in a straight line from a
# tenth of its highest value, and then falls along a cosine to zero at `total`. PyTorch has the pieces in
# `optim.lr_scheduler`: `LinearLR`, `CosineAnnealingLR`, and `SequentialLR`, which joins them.

# %% [markdown] lang="en" framework="tensorflow"
# **Your turn (3).** Write the schedule with a warm-up: over `warmup` steps the rate climbs in a straight line from zero
# to `rate`, and then falls along a cosine to zero at `total`. `CosineDecay` can do both: look at its arguments, with
# `help(keras.optimizers.schedules.CosineDecay)`. Mind what `decay_steps` counts.

# %% [markdown] lang="es" framework="pytorch"
# **Le toca a usted (3).** Escriba el plan con calentamiento: durante `warmup` pasos la tasa sube en línea recta desde
# la décima parte de su valor más alto y luego baja siguiendo un coseno hasta cero en `total`. PyTorch tiene las piezas
# en `optim.lr_scheduler`: `LinearLR`, `CosineAnnealingLR` y `SequentialLR`, que las une.

# %% [markdown] lang="es" framework="tensorflow"
# **Le toca a usted (3).** Escriba el plan con calentamiento: durante `warmup` pasos la tasa sube en línea recta de cero
# a `rate` y luego baja siguiendo un coseno hasta cero en `total`. `CosineDecay` sabe hacer las dos cosas: mire sus
# argumentos con `help(keras.optimizers.schedules.CosineDecay)`. Fíjese en qué cuenta `decay_steps`.


# %% framework="pytorch" tags=["folded"]
def check_schedule(warm_up_cosine):
    try:
        rates = course_of(lambda optimizer: warm_up_cosine(optimizer, 20, 100))
    except AttributeError:
        print("✘", words["no_schedule"])
        return
    judge_schedule(rates)


def judge_schedule(rates):
    top = int(np.argmax(rates))
    if rates[0] > 0.5:
        print("✘", words["no_warm_up"])
    elif not 18 <= top <= 22 or not 0.9 < rates[top] < 1.1:
        print("✘", words["wrong_top"], top, f"{rates[top]:.2g}")
    elif rates[-1] > 0.02:
        print("✘", words["not_to_zero"], f"{rates[-1]:.2g}")
    elif not np.allclose(rates[40:81:20], [0.854, 0.5, 0.146], atol=0.06):
        print("✘", words["no_cosine"], *(f"{rate:.2g}" for rate in rates[40:81:20]))
    else:
        print("✔", words["right"])


# %% framework="tensorflow" tags=["folded"]
def check_schedule(warm_up_cosine):
    schedule = warm_up_cosine(1.0, 20, 100)
    if not callable(schedule):
        print("✘", words["no_schedule"])
        return
    judge_schedule(course_of(schedule))


def judge_schedule(rates):
    top = int(np.argmax(rates))
    if rates[0] > 0.5:
        print("✘", words["no_warm_up"])
    elif not 18 <= top <= 22 or not 0.9 < rates[top] < 1.1:
        print("✘", words["wrong_top"], top, f"{rates[top]:.2g}")
    elif rates[-1] > 0.02:
        print("✘", words["not_to_zero"], f"{rates[-1]:.2g}")
    elif not np.allclose(rates[40:81:20], [0.854, 0.5, 0.146], atol=0.06):
        print("✘", words["no_cosine"], *(f"{rate:.2g}" for rate in rates[40:81:20]))
    else:
        print("✔", words["right"])


# %% framework="pytorch"
def warm_up_cosine(optimizer, warmup, total):
    """A schedule for the optimizer: up in `warmup` steps, down to zero at step `total`."""
    # write here


check_schedule(warm_up_cosine)


# %% framework="tensorflow"
def warm_up_cosine(rate, warmup, total):
    """A schedule: up to `rate` in `warmup` steps, down to zero at step `total`."""
    # write here


check_schedule(warm_up_cosine)


# %% framework="pytorch" tags=["solution"]
def warm_up_cosine(optimizer, warmup, total):
    up = optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=warmup)
    down = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=total - warmup)
    return optim.lr_scheduler.SequentialLR(optimizer, [up, down], milestones=[warmup])


check_schedule(warm_up_cosine)


# %% framework="tensorflow" tags=["solution"]
def warm_up_cosine(rate, warmup, total):
    return keras.optimizers.schedules.CosineDecay(
        0.0, decay_steps=total - warmup, warmup_target=rate, warmup_steps=warmup
    )


check_schedule(warm_up_cosine)

# %% [markdown] lang="en"
# What warm-up and decay are worth, each by itself, lesson 11b measures.
#
# ## 7. The whole of it on one page
#
# The head first, then all of the network at a low rate, with BatchNorm asleep, warm-up and cosine. You would run it as
# `python fine_tune.py PHOTOS RATE`, where `PHOTOS` has the folders `train` and `test`, each with one sub-folder a
# class. As in lesson 01 it gets the lesson's backbone in a file here, so that nothing is downloaded.

# %% [markdown] lang="es"
# Lo que aportan el calentamiento y la bajada, cada uno por separado, lo mide la lección 11b.
#
# ## 7. Todo en una página
#
# Primero la cabeza; después toda la red con una tasa baja, con BatchNorm dormida, calentamiento y coseno. Se ejecutaría
# con `python fine_tune.py FOTOS TASA`, donde `FOTOS` tiene las carpetas `train` y `test`, cada una con una subcarpeta
# por clase. Como en la lección 01, aquí recibe la red base de la lección en un archivo, para que no se descargue nada.

# %% framework="pytorch"
# %%writefile {folder}/fine_tune.py
import sys

import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader, RandomSampler
from torchvision import datasets, models
from torchvision.transforms import v2

PHOTOS, RATE, *FILE = sys.argv[1:]  # PHOTOS/train/CLASS/*.jpg, PHOTOS/test/...
torch.manual_seed(0)
if FILE:  # the lesson's backbone, from a file: pixels of 0 to 1 in, features out
    body = torch.export.load(FILE[0]).module()
    prepare = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
else:
    body = models.resnet18(weights="DEFAULT").eval()  # it stays in eval(): BatchNorm sleeps
    body.fc = nn.Identity()
    prepare = models.ResNet18_Weights.DEFAULT.transforms()
train, test = (datasets.ImageFolder(f"{PHOTOS}/{part}", prepare) for part in ("train", "test"))
head = nn.Linear(body(train[0][0][None]).shape[1], len(train.classes))


def learn(steps, *groups):
    optimizer = optim.AdamW(groups)
    up = optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=steps // 10)
    down = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps - steps // 10)
    schedule = optim.lr_scheduler.SequentialLR(optimizer, [up, down], milestones=[steps // 10])
    for x, y in DataLoader(train, 16, sampler=RandomSampler(train, num_samples=16 * steps)):
        loss = F.cross_entropy(head(body(x)), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


body.requires_grad_(False)
learn(300, {"params": head.parameters(), "lr": 1e-2})
body.requires_grad_(True)
learn(300, {"params": body.parameters(), "lr": float(RATE)}, {"params": head.parameters(), "lr": 10 * float(RATE)})
with torch.no_grad():
    right = sum((head(body(x)).argmax(1) == y).sum().item() for x, y in DataLoader(test, 64))
print(f"accuracy {right / len(test):.4f}")

# %% framework="tensorflow"
# %%writefile {folder}/fine_tune.py
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
import keras
from keras import layers

PHOTOS, RATE, *FILE = sys.argv[1:]  # PHOTOS/train/CLASS/*.jpg, PHOTOS/test/...
keras.utils.set_random_seed(0)
if FILE:  # the lesson's backbone, from a file: pixels of 0 to 255 in, features out
    body = keras.models.load_model(FILE[0], compile=False)
else:
    mobilenet = keras.applications.mobilenet_v2
    pixels = keras.Input((224, 224, 3))
    base = mobilenet.MobileNetV2(include_top=False, pooling="avg", input_tensor=mobilenet.preprocess_input(pixels))
    body = keras.Model(pixels, base.output)
train, test = (
    keras.utils.image_dataset_from_directory(f"{PHOTOS}/{part}", image_size=body.input_shape[1:3], batch_size=16)
    for part in ("train", "test")
)
model = keras.Sequential([keras.Input(body.input_shape[1:]), body, layers.Dense(len(train.class_names))])


def learn(rate, steps=300):
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, decay_steps=steps - steps // 10, warmup_target=rate, warmup_steps=steps // 10
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(schedule), loss, metrics=["accuracy"], jit_compile=False)
    model.fit(train.cache().shuffle(10).repeat().take(steps), verbose=0)


def sleep(layer):
    """BatchNorm in a layer, and in the layers inside it, is frozen."""
    if isinstance(layer, layers.BatchNormalization):
        layer.trainable = False
    for part in getattr(layer, "layers", []):
        sleep(part)


body.trainable = False
learn(1e-2)
body.trainable = True
sleep(body)  # before `compile`, in `learn`
learn(float(RATE))
print(f"accuracy {model.evaluate(test, verbose=0)[1]:.4f}")

# %% framework="pytorch"
model.load_state_dict(pretrained)
body = copy.deepcopy(model).cpu()
replace_head(body, 0)
body = nn.Sequential(normalize, body).eval()  # so that the file knows its preprocessing
file = folder / "backbone.pt2"
example = torch.rand(2, 3, IMAGE_SIZE, IMAGE_SIZE)
shapes = ({0: torch.export.Dim("batch")},)
torch.export.save(torch.export.export(body, (example,), dynamic_shapes=shapes), file)

# %% framework="tensorflow"
file = folder / "backbone.keras"
base.set_weights(pretrained)
pixels = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3))
keras.Model(pixels, base(prepare(pixels))).save(file)

# %%
parts = {"train": pictures, "test": (data.test.images, data.test.labels)}
for part, (images, labels) in parts.items():
    for i, (image, label) in enumerate(zip(images, labels)):
        place = folder / "pets" / part / str(data.test.class_names[label])
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{i:04d}.png")

command = [sys.executable, str(folder / "fine_tune.py"), str(folder / "pets"), str(RATE), str(file)]
said = subprocess.run(command, capture_output=True, text=True)
print(said.stdout or said.stderr)
from_script = float(said.stdout.split("accuracy ")[1].split()[0])
claim("script_agrees", 100 * abs(from_script - right["all"][0].mean()))

# %% [markdown] lang="en"
# ## What you can do now
#
# - Say what moves in a step: weights and BatchNorm's statistics, each with its switch, and verify it.
# - Find a rate with a range test, follow its advice, and see what a far higher one does.
# - Let a part of the network learn, or all of it, from a trained head, and compare with intervals.
# - Give parts rates of their own, in PyTorch by parameter groups, in Keras by a factor or by two optimizers.
# - Write a schedule with warm-up.
#
# From the toolbox the lesson used `load_network`, `replace_head` or `add_head`, `freeze`, `count_parameters`, `predict`
# and `fit`; it added `mini_resnet_narrow`.
#
# What all this does to the *old* task, and when which way is the right one, is the subject of lesson 03b.
#
# ## Check yourself

# %% [markdown] lang="es"
# ## Lo que ya sabe hacer
#
# - Decir qué se mueve en un paso: los pesos y las estadísticas de BatchNorm, cada cosa con su interruptor, y
#   comprobarlo.
# - Encontrar una tasa con una prueba de rango, seguir su consejo y ver qué pasa con otra mucho más alta.
# - Dejar que aprenda una parte de la red, o toda, a partir de una cabeza entrenada, y comparar con intervalos.
# - Dar a cada parte su propia tasa: en PyTorch, con grupos de parámetros; en Keras, con un factor o con dos
#   optimizadores.
# - Escribir un plan de la tasa con calentamiento.
#
# De la caja de herramientas, la lección ha usado `load_network`, `replace_head` o `add_head`, `freeze`,
# `count_parameters`, `predict` y `fit`, y ha añadido `mini_resnet_narrow`.
#
# Qué le hace todo esto a la tarea *antigua*, y cuándo conviene cada camino, es el tema de la lección 03b.
#
# ## Compruebe lo aprendido

# %%
show_quiz("03a_fine_tuning/after", LANGUAGE)

# %% [markdown] lang="en"
# ## Further reading
#
# - J. Howard and S. Ruder, "Universal Language Model Fine-tuning for Text Classification", *ACL* 2018: gradual
#   unfreezing and rates by part.
# - L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", *WACV* 2017: the range test.
# - S. Ioffe and C. Szegedy, "Batch Normalization", *ICML* 2015.
# - S. Kornblith, J. Shlens and Q. V. Le, "Do Better ImageNet Models Transfer Better?", *CVPR* 2019: what fine-tuning
#   adds to frozen features, on twelve data sets of photos.

# %% [markdown] lang="es"
# ## Para seguir leyendo
#
# - J. Howard y S. Ruder, «Universal Language Model Fine-tuning for Text Classification», *ACL* 2018: descongelar poco a
#   poco y tasas por parte.
# - L. N. Smith, «Cyclical Learning Rates for Training Neural Networks», *WACV* 2017: la prueba de rango.
# - S. Ioffe y C. Szegedy, «Batch Normalization», *ICML* 2015.
# - S. Kornblith, J. Shlens y Q. V. Le, «Do Better ImageNet Models Transfer Better?», *CVPR* 2019: qué añade el ajuste
#   fino a las características congeladas, con doce conjuntos de fotos.
