# %% [markdown] lang="en"
# # Training tricks I: signals and normalisation
#
# **{Framework}** · about 45 minutes · before this: [01 Cats and dogs](01_cats_vs_dogs_{framework}.ipynb).
#
# Through a deep network numbers travel forward and gradients travel back. Much advice on training is about keeping
# both alive. After this lesson you can
#
# - choose first weights by their size, and set them in {Framework};
# - measure, layer by layer, whether a gradient vanishes or explodes;
# - write a residual block and batch normalisation yourself;
# - judge a trick fairly: each network at its own best learning rate, over many draws;
# - say for which defect a trick was made, and see when you do not have that defect.
#
# [Lesson 11b](11b_optimizers_and_schedules_{framework}.ipynb) is about what then makes steps of the gradients. The
# [glossary](../../docs/glossary.md) has all words.

# %% [markdown] lang="es"
# # Trucos de entrenamiento I: señales y normalización
#
# **{Framework}** · unos 45 minutos · antes: [01 Gatos y perros](01_cats_vs_dogs_{framework}.ipynb).
#
# Por una red profunda viajan números hacia delante y gradientes hacia atrás. Muchos consejos sobre el entrenamiento
# tratan de mantener vivos unos y otros. Al terminar esta lección podrá:
#
# - elegir los pesos iniciales por su tamaño, y fijarlos en {Framework};
# - medir, capa por capa, si un gradiente se desvanece o explota;
# - escribir por su cuenta un bloque residual y la normalización por lotes;
# - juzgar un truco con justicia: cada red con su mejor tasa de aprendizaje y con muchas repeticiones;
# - decir para qué defecto se inventó un truco, y darse cuenta de cuándo su red no lo tiene.
#
# La [lección 11b](11b_optimizers_and_schedules_{framework}.ipynb) trata de cómo los gradientes se convierten después en
# pasos. Todas las palabras están en el [glosario](../../docs/glosario.md).

# %% tags=["parameters"]
SEED = 0
DATASET = "drawn_pets_breeds"  # or "oxford_pets_breeds", "cats_vs_dogs", a folder with one sub-folder a class
BACKBONE = "mini_resnet"  # or "efficientnet_lite0", "resnet50", ...
IMAGE_SIZE = 64  # side of the images, in pixels; what the backbone was trained at
IMAGES = 80  # images of each class that are used at all, training, validation and test together
LABELS = 10  # labelled training images of each class
NETWORKS = 10  # networks in each experiment; each has its own images and first weights
MANY_NETWORKS = 30  # the same where small effects are measured
STEPS = 250  # steps of each training
DEPTH = 8  # hidden layers of the deep networks

# %%
# %matplotlib inline
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from tlhelpers import metrics, plots
from tlhelpers.data.datasets import load_splits
from tlhelpers.numbers import percent
from tlhelpers.quiz import show_quiz

folder = Path(tempfile.mkdtemp())
show_quiz("11a_signals_and_normalisation/before", LANGUAGE)

# %% framework="pytorch"
import copy

import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader

from tlhelpers.pytorch.data import ImageDataset
from tlhelpers.pytorch.heads import replace_head
from tlhelpers.pytorch.networks import load_network
from tlhelpers.pytorch.prediction import predict

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
print("PyTorch", torch.__version__, device)

# %% framework="tensorflow"
import keras
import tensorflow as tf
from keras import layers

from tlhelpers.tensorflow.networks import load_network

print("TensorFlow", tf.__version__, "Keras", keras.__version__)

# %% [markdown] lang="en"
# ## 1. How we measure
#
# A trick can only be judged by many trainings, so each must be cheap. We compute the
# [features](../../docs/glossary.md#feature) of a frozen [backbone](../../docs/glossary.md#backbone) once, and train
# small networks of fully connected [layers](../../docs/glossary.md#layer) on them. The task is harder than cat or dog:
# which breed is it?

# %% [markdown] lang="es"
# ## 1. Cómo medimos
#
# Un truco solo se puede juzgar con muchos entrenamientos, así que cada uno tiene que ser barato. Calculamos una sola
# vez las [características](../../docs/glosario.md#característica) de una [red
# base](../../docs/glosario.md#red-base) congelada, y con ellas entrenamos redes pequeñas de
# [capas](../../docs/glosario.md#capa) densas. La tarea es más difícil que decir gato o perro: ¿de qué raza es?

# %% tags=["nbval-check-output"]
data = load_splits(DATASET, image_size=IMAGE_SIZE, seed=SEED, max_per_class=IMAGES, val_fraction=0.2, progress=False)
classes = len(data.train.class_names)
labels = {"val": data.val.labels, "test": data.test.labels}
for name, part in (("train", data.train), ("val", data.val), ("test", data.test)):
    print(f"{name:>5}: {len(part)}")
print(f"{classes}: {', '.join(plots.class_words(data.train.class_names, LANGUAGE)[:4])} ...")

# %% framework="pytorch"
network, prepare = load_network(BACKBONE)
replace_head(network, 0)  # the backbone alone
network.to(device, memory_format=torch.channels_last)


def features_of(images):
    """The frozen backbone's features, `(n, features)`."""
    return predict(network, DataLoader(ImageDataset(images, np.zeros(len(images)), prepare), batch_size=32))


# %% framework="tensorflow"
base, prepare = load_network(BACKBONE, IMAGE_SIZE, include_top=False, pooling="avg")


def features_of(images):
    """The frozen backbone's features, `(n, features)`."""
    return base.predict(prepare(images.astype("float32")), batch_size=32, verbose=0)


# %% [markdown] lang="en"
# Each network gets `LABELS` images of each breed, **its own draw**. Then it gets its own first weights. So networks
# of one and the same setting differ too, and a difference between two settings counts only where it stands out from
# that noise.

# %% [markdown] lang="es"
# Cada red recibe `LABELS` imágenes de cada raza, **sorteadas para ella**, y después sus propios pesos iniciales. Así,
# también difieren redes con los mismos ajustes, y una diferencia entre dos ajustes solo cuenta si sobresale de ese
# ruido.

# %%
pool, val, test = (features_of(part.images) for part in (data.train, data.val, data.test))
most = min(LABELS, int(np.bincount(data.train.labels).min()))


def draw(networks, scale_inputs=True):
    """For each network its own images: x `(images, networks, features)`, y `(images, networks)`; and val, test."""
    parts = []
    for k in range(networks):
        rng = np.random.default_rng([SEED, k])
        of_class = [np.flatnonzero(data.train.labels == c) for c in range(classes)]
        chosen = np.concatenate([rng.choice(places, most, replace=False) for places in of_class])
        mean, spread = pool[chosen].mean(0), pool[chosen].std(0) + 1e-6
        x, x_val, x_test = (((z - mean) / spread if scale_inputs else z) for z in (pool[chosen], val, test))
        parts.append((x, data.train.labels[chosen], x_val, x_test))
    return {key: np.stack(arrays, 1) for key, arrays in zip(("x", "y", "val", "test"), zip(*parts))}


drawn = draw(NETWORKS)
print({key: array.shape for key, array in drawn.items()})

# %% [markdown] lang="en" framework="pytorch"
# And we train all of them **at once**. The layer below is an `nn.Linear` that holds a matrix for each network. The loss
# is the sum of the networks' losses, so that no network's gradient knows of another. It saves time, nothing else.
#
# `build` stacks such layers. What `scale`, `batch_norm`, `residual` and `dropout` do, the lesson says in turn.

# %% [markdown] lang="en" framework="tensorflow"
# And we train all of them **at once**. The layer below is a `Dense` that holds a matrix for each network (Keras calls
# it `EinsumDense`). The loss is the sum of the networks' losses, so that no network's gradient knows of another. It
# saves time, nothing else.
#
# `build` stacks such layers. What `scale`, `batch_norm`, `residual` and `dropout` do, the lesson says in turn.

# %% [markdown] lang="es" framework="pytorch"
# Y las entrenamos todas **a la vez**. La capa siguiente es una `nn.Linear` que guarda una matriz por red. La pérdida es
# la suma de las pérdidas de las redes, así que el gradiente de una no sabe nada de las demás. Solo sirve para ahorrar
# tiempo.
#
# `build` apila capas así. Lo que hacen `scale`, `batch_norm`, `residual` y `dropout` lo iremos viendo.

# %% [markdown] lang="es" framework="tensorflow"
# Y las entrenamos todas **a la vez**. La capa siguiente es una `Dense` que guarda una matriz por red (Keras la llama
# `EinsumDense`). La pérdida es la suma de las pérdidas de las redes, así que el gradiente de una no sabe nada de las
# demás. Solo sirve para ahorrar tiempo.
#
# `build` apila capas así. Lo que hacen `scale`, `batch_norm`, `residual` y `dropout` lo iremos viendo.


# %% framework="pytorch"
class SideBySide(nn.Module):
    """A linear layer of each of several networks: `(batch, networks, inputs)` to `(batch, networks, outputs)`."""

    def __init__(self, networks, inputs, outputs, scale=1.0):
        super().__init__()
        spread = scale * (2 / inputs) ** 0.5  # section 3 says why
        self.weight = nn.Parameter(spread * torch.randn(networks, inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(networks, outputs))

    def forward(self, x):
        return torch.einsum("bki,kio->bko", x, self.weight) + self.bias


class Residual(nn.Sequential):
    """What goes in is added to what comes out."""

    def forward(self, x):
        return x + super().forward(x)


# %% framework="tensorflow"
def side_by_side(x, outputs, scale=1.0):
    """A linear layer of each of several networks: `(batch, networks, inputs)` to `(batch, networks, outputs)`."""
    networks, inputs = x.shape[1:]
    spread = scale * (2 / inputs) ** 0.5  # section 3 says why
    first_weights = keras.initializers.RandomNormal(stddev=spread)
    layer = layers.EinsumDense("bki,kio->bko", (networks, outputs), bias_axes="ko", kernel_initializer=first_weights)
    return layer(x)


# %% framework="pytorch"
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


def build(networks, depth=DEPTH, activation="relu", scale=1.0, batch_norm=False, residual=False, dropout=0.0, width=64):
    """`depth` hidden layers and a linear head, `networks` times side by side; and a copy of the first weights."""
    torch.manual_seed(SEED)
    blocks, inputs = [], pool.shape[1]
    for k in range(depth):
        block = [SideBySide(networks, inputs, width, scale)]
        if batch_norm:  # one number a network and neuron, in a row
            block += [nn.Flatten(1), nn.BatchNorm1d(networks * width), nn.Unflatten(1, (networks, width))]
        block.append(ACTIVATIONS[activation]())
        if dropout:
            block.append(nn.Dropout(dropout))
        blocks.append(Residual(*block) if residual and k else nn.Sequential(*block))
        inputs = width
    model = nn.Sequential(*blocks, SideBySide(networks, inputs, classes)).to(device)
    return model, copy.deepcopy(model.state_dict())


# %% framework="tensorflow"
def build(networks, depth=DEPTH, activation="relu", scale=1.0, batch_norm=False, residual=False, dropout=0.0, width=64):
    """`depth` hidden layers and a linear head, `networks` times side by side; and a copy of the first weights."""
    keras.utils.set_random_seed(SEED)
    inputs = x = keras.Input((networks, pool.shape[1]))
    for k in range(depth):
        h = side_by_side(x, width, scale)
        if batch_norm:  # one number a network and neuron, in a row
            h = layers.Reshape((networks * width,))(h)
            h = layers.BatchNormalization(momentum=0.9)(h)
            h = layers.Reshape((networks, width))(h)
        h = layers.Activation(activation)(h)
        if dropout:
            h = layers.Dropout(dropout)(h)
        x = layers.Add(name=f"hidden_{k}")([x, h]) if residual and k else layers.Identity(name=f"hidden_{k}")(h)
    model = keras.Model(inputs, side_by_side(x, classes))
    return model, model.get_weights()


# %% [markdown] lang="en" framework="pytorch"
# `train` puts the first weights back, so that each learning rate starts from the same ones. The
# [optimizer](../../docs/glossary.md#optimizer) is Adam as a rule, and its rate falls to zero by the end, along a
# cosine. So a training that is judged at its end is not judged in the middle of a large step.

# %% [markdown] lang="en" framework="tensorflow"
# `train` puts the first weights back, so that each learning rate starts from the same ones. The
# [optimizer](../../docs/glossary.md#optimizer) is Adam as a rule, and its rate falls to zero by the end, along a
# cosine. So a training that is judged at its end is not judged in the middle of a large step.
#
# `compile` costs seconds. So each model is compiled once, and for the next training the optimizer's memory is set to
# zero.

# %% [markdown] lang="es" framework="pytorch"
# `train` vuelve a poner los pesos iniciales, para que todas las tasas de aprendizaje partan de los mismos. El
# [optimizador](../../docs/glosario.md#optimizador) es, por lo general, Adam, y su tasa baja hasta cero siguiendo un
# coseno. Así, un entrenamiento que se juzga al final no se juzga en mitad de un paso grande.

# %% [markdown] lang="es" framework="tensorflow"
# `train` vuelve a poner los pesos iniciales, para que todas las tasas de aprendizaje partan de los mismos. El
# [optimizador](../../docs/glosario.md#optimizador) es, por lo general, Adam, y su tasa baja hasta cero siguiendo un
# coseno. Así, un entrenamiento que se juzga al final no se juzga en mitad de un paso grande.
#
# `compile` cuesta segundos. Por eso cada modelo se compila una sola vez, y para el siguiente entrenamiento la memoria
# del optimizador se pone a cero.


# %% framework="pytorch"
def train(model, first, drawn, lr, optimizer="Adam", steps=STEPS):
    """`steps` steps from the first weights on, each with 32 images of each network's own."""
    model.load_state_dict(first)
    optimizer = getattr(optim, optimizer)(model.parameters(), lr=lr)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    x, y = (torch.from_numpy(drawn[key]).to(device) for key in "xy")
    model.train()
    for _ in range(steps):
        batch, each = torch.randint(len(y), (32, y.shape[1])), torch.arange(y.shape[1])
        logits = model(x[batch, each])
        loss = F.cross_entropy(logits.flatten(0, 1), y[batch, each].flatten(), reduction="sum") / 32
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


# %% framework="tensorflow"
def train(model, first, drawn, lr, optimizer="Adam", steps=STEPS):
    """`steps` steps from the first weights on, each with 32 images of each network's own."""
    if not model.compiled:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
        model.compile(optimizer, loss, loss_weights=[1 / 32], jit_compile=False)
    model.set_weights(first)
    for variable in model.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
    rng, x, y = np.random.default_rng(SEED), drawn["x"], drawn["y"]
    for step in range(steps):
        model.optimizer.learning_rate = lr / 2 * (1 + np.cos(np.pi * step / steps))
        batch, each = rng.integers(len(y), size=(32, y.shape[1])), np.arange(y.shape[1])
        model.train_on_batch(x[batch, each], y[batch, each])


# %% framework="pytorch"
def logits_of(model, x):
    """`(images, networks, classes)`, as in use: dropout rests, BatchNorm takes its running numbers."""
    model.eval()
    with torch.inference_mode():
        return model(torch.from_numpy(x).to(device)).cpu().numpy()


# %% framework="tensorflow"
def logits_of(model, x):
    """`(images, networks, classes)`, as in use: dropout rests, BatchNorm takes its running numbers."""
    return keras.ops.convert_to_numpy(model(x, training=False))


# %% [markdown] lang="en"
# Nothing is as unfair as one [learning rate](../../docs/glossary.md#learning-rate) for all: it suits one network and
# not the other. `try_rates` trains with each of several rates. The [validation
# images](../../docs/glossary.md#validation-set) choose among them, and the [test
# images](../../docs/glossary.md#test-set) judge what was chosen.

# %% [markdown] lang="es"
# Nada es tan injusto como una misma [tasa de aprendizaje](../../docs/glosario.md#tasa-de-aprendizaje) para todas las
# redes: a una le conviene y a otra no. `try_rates` entrena con cada una de varias tasas. Las [imágenes de
# validación](../../docs/glosario.md#conjunto-de-validación) eligen entre ellas, y las [de
# prueba](../../docs/glosario.md#conjunto-de-prueba) juzgan lo elegido.

# %%
RATES = (0.001, 0.003, 0.01, 0.03, 0.1)


def right_of(model, drawn, part):
    """Which answers are right, `(networks, images)`."""
    return (logits_of(model, drawn[part]).argmax(2) == labels[part][:, None]).T


def try_rates(drawn, rates=RATES, optimizer="Adam", steps=STEPS, **plan):
    model, first = build(drawn["y"].shape[1], **plan)
    runs = {}
    for lr in rates:
        train(model, first, drawn, lr, optimizer, steps)
        runs[lr] = {part: right_of(model, drawn, part) for part in labels}
    return runs


def best_rate(runs):
    return max(runs, key=lambda lr: runs[lr]["val"].mean())


# %% tags=["folded"]
def plot_runs(kinds, ax=None, part="val"):
    """Accuracy over the learning rate, one line a kind of network, with the range of its networks."""
    ax = plots.new_axes(ax)
    for k, (name, runs) in enumerate(kinds.items()):
        shares = 100 * np.stack([run[part].mean(1) for run in runs.values()])
        look = {"color": plots.COLOURS[k], "marker": plots.MARKERS[k], "linestyle": plots.LINES[k]}
        ax.plot(list(runs), shares.mean(1), label=name, **look)
        ax.fill_between(list(runs), shares.min(1), shares.max(1), color=plots.COLOURS[k], alpha=0.12)
    ax.set(xscale="log", xlabel=words["rate"], ylabel=words["val_accuracy"])
    plots.tidy(ax)
    ax.legend(frameon=False, fontsize=8)
    return ax


# %% [markdown] lang="en"
# ## 2. Scale the inputs
#
# Suppose one in ten of your inputs comes in centimetres, and the others come in metres. The network gets the same
# information. Does it learn as well?
#
# One step of gradient descent ([SGD](../../docs/glossary.md#sgd)) is
#
# $$w_{t+1} = w_t - \eta \, g_t$$
#
# Here $w_t$ is a weight at step $t$, $\eta$ the learning rate, and $g_t$ the
# [gradient](../../docs/glossary.md#gradient): how fast the loss grows with this weight. The gradient of a weight is
# proportional to its input. So an input a hundred times larger gives a gradient a hundred times larger, and there is
# only one $\eta$ for all. **Standardising** subtracts from each input its mean and divides by its standard deviation,
# both taken from the training images only.
#
# We take a linear classifier, plain SGD, and rates from tiny to huge.

# %% [markdown] lang="es"
# ## 2. Escalar las entradas
#
# Suponga que una de cada diez entradas viene en centímetros y las demás en metros. La red recibe la misma información.
# ¿Aprende igual de bien?
#
# Un paso del descenso de gradiente ([SGD](../../docs/glosario.md#sgd)) es
#
# $$w_{t+1} = w_t - \eta \, g_t$$
#
# Aquí $w_t$ es un peso en el paso $t$, $\eta$ la tasa de aprendizaje y $g_t$ el
# [gradiente](../../docs/glosario.md#gradiente): lo rápido que crece la pérdida con ese peso. El gradiente de un peso es
# proporcional a su entrada. Así que una entrada cien veces mayor da un gradiente cien veces mayor, y solo hay una
# $\eta$ para todos. **Estandarizar** es restar a cada entrada su media y dividirla entre su desviación estándar, ambas
# calculadas solo con las imágenes de entrenamiento.
#
# Tomamos un clasificador lineal, SGD simple y tasas desde diminutas hasta enormes.

# %%
raw = draw(NETWORKS, scale_inputs=False)
units = np.where(np.arange(pool.shape[1]) % 10, 1, 100).astype("float32")  # every tenth input in centimetres
mixed = {key: raw[key] if key == "y" else units * raw[key] for key in raw}
kinds = {"raw": raw, "mixed": mixed, "standardised": drawn}
by_units = {name: try_rates(kind, 10.0 ** np.arange(-4, 2), "SGD", depth=0) for name, kind in kinds.items()}
ax = plot_runs({words[name]: runs for name, runs in by_units.items()})
reached = {name: runs[best_rate(runs)]["val"] for name, runs in by_units.items()}
for name in ("raw", "mixed"):
    difference = metrics.paired_difference(reached[name], reached["standardised"])
    print(f"{words['standardised']} / {words[name]}: {metrics.describe_difference(difference, LANGUAGE)}")
claim("mixed_units_cost", 100 * difference)

# %% [markdown] lang="en"
# *Validation accuracy of a linear classifier for each learning rate; the bands span the networks. With mixed units no
# rate mends it: the large inputs are learnt in a few steps, the loss is then small, and the others are never asked.*

# %% [markdown] lang="es"
# *Exactitud de validación de un clasificador lineal con cada tasa de aprendizaje; las bandas abarcan las redes. Con
# unidades mezcladas, ninguna tasa lo remedia: las entradas grandes se aprenden en pocos pasos, la pérdida ya es pequeña
# y a las demás nadie las consulta.*

# %% [markdown] lang="en"
# So scaling is not magic. It mends one defect: inputs of very different size. A backbone's features hardly have it, and
# the first line says what standardising does for them.
#
# ## 3. First weights: how large?
#
# A neuron adds up $n$ inputs, each times a weight. Let inputs and weights be random with mean 0 and variance 1. How far
# does the sum spread? Variances of independent numbers add up: each product has variance 1, the sum of $n$ has variance
# $n$, and its standard deviation is $\sqrt{n}$. Two layers of 100 inputs make numbers a hundred times too large, ten
# layers $10^{10}$ times.
#
# The remedy: smaller weights, so that the spread stays.
#
# - **Glorot**: $\sigma = \sqrt{2 / (n_\text{in} + n_\text{out})}$
# - **He**: $\sigma = \sqrt{2 / n_\text{in}}$
#
# Here $\sigma$ is the standard deviation of the first weights, $n_\text{in}$ the number of inputs of a neuron, and
# $n_\text{out}$ the number of neurons in the layer. Glorot is a compromise between the way forward (inputs) and the way
# back (gradients). He doubles the variance, since ReLU, the [activation
# function](../../docs/glossary.md#activation-function) that replaces negative numbers by 0, throws away half.
# {Framework} has both. Does it follow the formulas?

# %% [markdown] lang="es"
# Escalar no es magia, pues. Remedia un defecto: entradas de tamaños muy distintos. Las características de una red base
# apenas lo tienen, y la primera línea dice qué les hace la estandarización.
#
# ## 3. Pesos iniciales: ¿de qué tamaño?
#
# Una neurona suma $n$ entradas, cada una multiplicada por un peso. Sean aleatorias las entradas y los pesos, con media
# 0 y varianza 1. ¿Cuánto se dispersa la suma? Las varianzas de números independientes se suman: cada producto tiene
# varianza 1; la suma de $n$ tiene varianza $n$, y su desviación estándar (o típica) es $\sqrt{n}$. Dos capas de 100
# entradas dan números cien veces mayores de lo debido; diez capas, $10^{10}$ veces.
#
# El remedio: pesos más pequeños, para que la dispersión se mantenga.
#
# - **Glorot**: $\sigma = \sqrt{2 / (n_\text{in} + n_\text{out})}$
# - **He**: $\sigma = \sqrt{2 / n_\text{in}}$
#
# Aquí $\sigma$ es la desviación estándar de los pesos iniciales, $n_\text{in}$ el número de entradas de una neurona y
# $n_\text{out}$ el número de neuronas de la capa. La de Glorot es un compromiso entre el camino de ida (entradas) y el
# de vuelta (gradientes). La de He duplica la varianza porque ReLU, la [función de
# activación](../../docs/glosario.md#función-de-activación) que cambia los números negativos por 0, tira la mitad.
# {Framework} tiene las dos. ¿Sigue las fórmulas?

# %% framework="pytorch"
layer = nn.Linear(400, 100)  # the matrix is (outputs, inputs)
found = {"default": layer.weight.std().item()}
found["Glorot"] = nn.init.xavier_normal_(layer.weight).std().item()
found["He"] = nn.init.kaiming_normal_(layer.weight, nonlinearity="relu").std().item()

# %% framework="tensorflow"
layer = layers.Dense(100)
layer.build((None, 400))
found = {"default": float(np.std(layer.get_weights()[0]))}  # the matrix is (inputs, outputs)
found["Glorot"] = float(np.std(keras.initializers.GlorotNormal(seed=SEED)((400, 100))))
found["He"] = float(np.std(keras.initializers.HeNormal(seed=SEED)((400, 100))))

# %%
formulas = {"Glorot": np.sqrt(2 / (400 + 100)), "He": np.sqrt(2 / 400)}
for name, sigma in found.items():
    print(f"{words.get(name, name):>10} {sigma:.4f}", f"{formulas[name]:.4f}" if name in formulas else "")
claim("initialisers_follow", 100 * max(abs(found[name] / sigma - 1) for name, sigma in formulas.items()))

# %% [markdown] lang="en" framework="pytorch"
# Measured on the left, the formula on the right. Look at the first line too: an `nn.Linear` starts with weights less
# than half as large as He's, whatever activation follows it. (Its own rule is $1/\sqrt{3 n_\text{in}}$.) Whoever
# stacks many of them should set the weights.

# %% [markdown] lang="en" framework="tensorflow"
# Measured on the left, the formula on the right. Look at the first line too: a `Dense` layer starts with Glorot's
# weights, whatever activation follows it. Whoever stacks many of them with ReLU should ask for `"he_normal"`.

# %% [markdown] lang="es" framework="pytorch"
# A la izquierda, lo medido; a la derecha, la fórmula. Mire también la primera línea: una `nn.Linear` empieza con
# pesos que no llegan a la mitad de los de He, sea cual sea la activación que la sigue. (Su propia regla es
# $1/\sqrt{3 n_\text{in}}$). Quien apile muchas debería fijar los pesos.

# %% [markdown] lang="es" framework="tensorflow"
# A la izquierda, lo medido; a la derecha, la fórmula. Mire también la primera línea: una capa `Dense` empieza con los
# pesos de Glorot, sea cual sea la activación que la sigue. Quien apile muchas con ReLU debería pedir `"he_normal"`.

# %% [markdown] lang="en" framework="pytorch"
# **Your turn (1).** Give every `nn.Linear` of a network He's weights, and biases of 0. Write a few lines in the place
# of `# write here` and run the cell. The check says what is missing; a solution is folded below.

# %% [markdown] lang="en" framework="tensorflow"
# **Your turn (1).** Write a network of 800 inputs with two hidden layers of 300 and 200 neurons, ReLU and He's weights,
# and 10 logits at the end. Write in the place of `# write here` and run the cell. The check says what is missing; a
# solution is folded below.

# %% [markdown] lang="es" framework="pytorch"
# **Le toca a usted (1).** Dé a cada `nn.Linear` de una red los pesos de He, y sesgos de 0. Escriba unas líneas en el
# lugar de `# write here` y ejecute la celda. La comprobación le dice qué falta; debajo hay una solución plegada.

# %% [markdown] lang="es" framework="tensorflow"
# **Le toca a usted (1).** Escriba una red de 800 entradas con dos capas ocultas de 300 y 200 neuronas, ReLU y los pesos
# de He, y 10 logits al final. Escriba en el lugar de `# write here` y ejecute la celda. La comprobación le dice qué
# falta; debajo hay una solución plegada.


# %% framework="pytorch" tags=["folded"]
def check_he(give_he):
    net = nn.Sequential(
        nn.Linear(800, 300), nn.ReLU(), nn.Sequential(nn.Linear(300, 200), nn.ReLU()), nn.Linear(200, 9)
    )
    before = net[0].weight.detach().clone()
    give_he(net)
    linear = [part for part in net.modules() if isinstance(part, nn.Linear)]
    spreads = [part.weight.std().item() * (part.in_features / 2) ** 0.5 for part in linear]  # 1 is He's
    print(" ".join(f"{spread:.2f} × He" for spread in spreads))
    glorot = (2 * 800 / (2 * (800 + 300))) ** 0.5
    if torch.equal(before, net[0].weight):
        print("✘", words["unchanged"])
    elif abs(spreads[0] - glorot) < 0.03:
        print("✘", words["is_glorot"])
    elif abs(spreads[0] - (800 / 300) ** 0.5) < 0.05:
        print("✘", words["counts_outputs"])
    elif max(abs(spread - 1) for spread in spreads) > 0.08:
        print("✘", words["not_he"])
    elif any(part.bias.abs().max() > 0 for part in linear):
        print("✘", words["biases"])
    else:
        print("✔", words["right"])


# %% framework="tensorflow" tags=["folded"]
def check_he(net):
    if not isinstance(net, keras.Model):
        print("✘", words["no_model"])
        return
    dense = [layer for layer in net.layers if isinstance(layer, layers.Dense)]
    if net.input_shape[-1] != 800 or [layer.units for layer in dense] != [300, 200, 10]:
        print("✘", words["layer_sizes"], net.input_shape[-1], [layer.units for layer in dense])
        return
    kernels = [layer.get_weights()[0] for layer in dense]
    spreads = [kernel.std() * (len(kernel) / 2) ** 0.5 for kernel in kernels]  # 1 is He's
    print(" ".join(f"{spread:.2f} × He" for spread in spreads))
    x = np.random.default_rng(0).normal(size=(64, 800)).astype("float32")
    out = [keras.ops.convert_to_numpy(net(sign * x)) for sign in (1, -1, 0)]
    if np.allclose(out[0] + out[1], 2 * out[2], atol=1e-3):
        print("✘", words["no_relu"])
    elif out[0].min() >= 0:
        print("✘", words["not_logits"])
    elif abs(spreads[0] - (800 / (800 + 300)) ** 0.5) < 0.03:
        print("✘", words["is_glorot"])
    elif max(abs(spread - 1) for spread in spreads[:2]) > 0.08:
        print("✘", words["not_he"])
    else:
        print("✔", words["right"])


# %% framework="pytorch"
def give_he(net):
    """Set the weights of each `nn.Linear` in `net`, at whatever depth, as He says, and its bias to 0."""
    # write here


check_he(give_he)


# %% framework="tensorflow"
def he_network():
    """A `keras.Sequential` of 800 inputs, two hidden layers of 300 and 200 neurons, and 10 logits."""
    # write here


check_he(he_network())


# %% framework="pytorch" tags=["solution"]
def give_he(net):
    for part in net.modules():
        if isinstance(part, nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            nn.init.zeros_(part.bias)


check_he(give_he)


# %% framework="tensorflow" tags=["solution"]
def he_network():
    return keras.Sequential([
        keras.Input((800,)),
        layers.Dense(300, "relu", kernel_initializer="he_normal"),
        layers.Dense(200, "relu", kernel_initializer="he_normal"),
        layers.Dense(10),
    ])  # fmt: skip


check_he(he_network())

# %% [markdown] lang="en"
# ### Right on average
#
# He's rule keeps the *mean* size right, over many random networks. A single network may have bad luck: each layer
# multiplies by a random factor near 1, and the factors pile up. Hanin and Nica (2018) computed it for ReLU: the
# logarithm of the squared size has a variance of about $5 L / n$ after $L$ layers of $n$ neurons. Depth over width
# decides. Is that so?

# %% [markdown] lang="es"
# ### Correcto en promedio
#
# La regla de He mantiene el tamaño *medio*, calculado sobre muchas redes al azar. Una red concreta puede tener mala
# suerte: cada capa multiplica por un factor aleatorio cercano a 1, y los factores se acumulan. Hanin y Nica (2018) lo
# calcularon para ReLU: el logaritmo del tamaño al cuadrado tiene una varianza de unos $5 L / n$ tras $L$ capas de $n$
# neuronas. Lo que decide es el cociente entre profundidad y anchura. ¿Es así?


# %%
def log_sizes(width, depth=32, networks=300):
    """Logarithm of the mean squared output of each layer of many random networks, `(layers, networks)`."""
    rng, found = np.random.default_rng(SEED), []
    x = rng.standard_normal((networks, 1, width), np.float32)
    for _ in range(depth):
        weights = np.sqrt(2 / width) * rng.standard_normal((networks, width, width), np.float32)
        x = np.maximum(x @ weights, 0)
        found.append(np.log(np.square(x).mean((1, 2)) + 1e-30))
    return np.stack(found)


ax, depths = plots.new_axes(None), np.arange(1, 33)
for k, width in enumerate((32, 128)):
    measured = log_sizes(width).std(1)
    look = {"color": plots.COLOURS[k], "marker": plots.MARKERS[k], "markevery": 4, "linestyle": plots.LINES[k]}
    ax.plot(depths, measured, label=f"{width} {words['neurons']}", **look)
    ax.plot(depths, np.sqrt(5 * depths / width), color="#666666", linewidth=1, label="√(5 L / n)" if k else None)
ax.set(xlabel=words["depth"], ylabel=words["log_spread"])
plots.tidy(ax)
ax.legend(frameon=False)
claim("luck_grows_with_depth_over_width", measured[-1] / np.sqrt(5 * 32 / 128))

# %% [markdown] lang="en"
# *Standard deviation, over 300 random networks, of the logarithm of the squared output. At 1 the squared output of a
# usual network is already 2.7 times too large or too small (1.6 times in size). Grey: the formula.*
#
# So "He's weights keep a network alive at any depth" is wrong: it holds only if the network grows wider too.
#
# ## 4. Vanishing and exploding gradients
#
# On its way back through the layers a gradient is multiplied again and again. By factors below 1 it
# [vanishes](../../docs/glossary.md#vanishing-gradient), above 1 it
# [explodes](../../docs/glossary.md#exploding-gradient). The slope of the sigmoid $1/(1+e^{-z})$ is never more than
# $1/4$. What is left of a gradient after twenty such layers?
#
# We measure how large the outputs of each layer are, and the gradients that come back to it.

# %% [markdown] lang="es"
# *Desviación estándar, sobre 300 redes al azar, del logaritmo de la salida al cuadrado. Con un valor de 1, en una red
# corriente esa salida ya es 2.7 veces mayor o menor de lo debido (1.6 veces en tamaño). En gris, la fórmula.*
#
# Por tanto, «los pesos de He mantienen viva una red a cualquier profundidad» es erróneo: solo vale si la red se hace
# también más ancha.
#
# ## 4. Gradientes que se desvanecen y que explotan
#
# En su camino de vuelta por las capas, un gradiente se multiplica una y otra vez. Por factores menores que 1 [se
# desvanece](../../docs/glosario.md#desvanecimiento-del-gradiente); por factores mayores que 1,
# [explota](../../docs/glosario.md#explosión-del-gradiente). La pendiente de la sigmoide $1/(1+e^{-z})$ nunca pasa de
# $1/4$. ¿Qué queda de un gradiente tras veinte capas así?
#
# Medimos el tamaño de las salidas de cada capa y el de los gradientes que le llegan de vuelta.


# %% framework="pytorch"
def sizes(model, drawn):
    """Root mean square of each hidden layer's output and of its gradient, both `(layers, networks)`."""
    out, y = (torch.from_numpy(drawn[key]).to(device) for key in "xy")
    hidden = []
    model.train()
    for layer in model:
        out = layer(out)
        out.retain_grad()  # or else PyTorch keeps gradients of the weights alone
        hidden.append(out)
    F.cross_entropy(hidden.pop().flatten(0, 1), y.flatten()).backward()
    both = hidden, [out.grad for out in hidden]
    return [torch.stack([t.square().mean((0, 2)).sqrt() for t in part]).detach().cpu().numpy() for part in both]


# %% framework="tensorflow"
def sizes(model, drawn):
    """Root mean square of each hidden layer's output and of its gradient, both `(layers, networks)`."""
    outputs = [layer.output for layer in model.layers if layer.name.startswith("hidden")]
    inside = keras.Model(model.input, [*outputs, model.output])
    with tf.GradientTape() as tape:
        *hidden, logits = inside(drawn["x"], training=True)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(drawn["y"], logits)
    both = hidden, tape.gradient(loss, hidden)
    return [np.stack([np.sqrt(np.square(t.numpy()).mean((0, 2))) for t in part]) for part in both]


# %%
GLOROT = 0.5**0.5  # its spread, in units of He's, where a layer has as many neurons as inputs
cases = {
    "sigmoid": {"activation": "sigmoid", "scale": GLOROT},
    "tanh": {"activation": "tanh", "scale": GLOROT},
    "relu_glorot": {"scale": GLOROT},
    "relu_he": {},
    "relu_one": {"scale": 32**0.5},
    "residual": {"residual": True, "scale": 0.5},
}
ways = {name: sizes(build(NETWORKS, depth=20, **plan)[0], drawn) for name, plan in cases.items()}

# %%
figure, axes = plots.plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
for side, (ax, label) in enumerate(zip(axes, ("output_size", "gradient_size"))):
    for k, name in enumerate(ways):
        look = {"color": plots.COLOURS[k], "marker": plots.MARKERS[k], "linestyle": plots.LINES[k], "markersize": 4}
        ax.plot(np.arange(1, 21), np.exp(np.log(ways[name][side]).mean(1)), label=words[name], **look)
    ax.set(yscale="log", xlabel=words["layer"], ylabel=words[label], xticks=[1, 5, 10, 15, 20])
    plots.tidy(ax)
legend = figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)

# %% [markdown] lang="en"
# *Twenty hidden layers before any training, mean over the networks. Left: size of each layer's outputs, to be read from
# left to right. Right: size of the gradients that come back, to be read from right to left. Both scales are
# logarithmic.*

# %% [markdown] lang="es"
# *Veinte capas ocultas antes de entrenar, media de las redes. Izquierda: el tamaño de las salidas de cada capa, léase
# de izquierda a derecha. Derecha: el tamaño de los gradientes que vuelven, léase de derecha a izquierda. Las dos
# escalas son logarítmicas.*


# %%
def decades(name):
    """Powers of ten between the gradient at the first and at the last hidden layer, mean over the networks."""
    gradients = np.log10(ways[name][1])
    return float((gradients[0] - gradients[-1]).mean())


print({words[name]: round(decades(name), 1) for name in ways})
claim("sigmoid_vanishes", decades("sigmoid"))

# %% [markdown] lang="en"
# Sigmoids lose the gradient, tanh nearly keeps it, and weights of variance 1 let it explode. ReLU with Glorot's weights
# loses a factor $\sqrt{1/2}$ a layer, as the formulas say.
#
# ## 5. Which activation, and a way around the layers
#
# | name | formula | slope |
# | --- | --- | --- |
# | sigmoid | $1 / (1 + e^{-z})$ | $\le 1/4$, near 0 for large $\lvert z \rvert$ |
# | tanh | $(e^z - e^{-z}) / (e^z + e^{-z})$ | $\le 1$, near 0 for large $\lvert z \rvert$ |
# | ReLU | $\max(0, z)$ | 0 or 1 |
# | GELU | $z \cdot \Phi(z)$, where $\Phi$ is the normal distribution function | about 0 to 1, without a corner |
#
# A neuron of ReLU that is negative for all images has no gradient and stays so: it is *dead*. GELU and its relatives
# (SiLU, leaky ReLU) leave it a little slope. Transformers and newer convolutional networks use them.
#
# A [**residual connection**](../../docs/glossary.md#residual-connection) adds what goes into a layer to what comes out:
# $x + f(x)$. Then part of the gradient goes around the layer, and no factor can kill it. Networks of a hundred layers
# became trainable with it (He et al. 2016). Our backbone is made of such blocks.
#
# Does all that matter for learning? Two depths, and each network at its own best rate. Guess first: which is the best
# activation with two hidden layers, and which with many?

# %% [markdown] lang="es"
# Las sigmoides pierden el gradiente, tanh casi lo conserva, y los pesos de varianza 1 lo hacen explotar. ReLU con los
# pesos de Glorot pierde un factor $\sqrt{1/2}$ por capa, como dicen las fórmulas.
#
# ## 5. Qué activación, y un camino que rodea las capas
#
# | nombre | fórmula | pendiente |
# | --- | --- | --- |
# | sigmoide | $1 / (1 + e^{-z})$ | $\le 1/4$, casi 0 si $\lvert z \rvert$ es grande |
# | tanh | $(e^z - e^{-z}) / (e^z + e^{-z})$ | $\le 1$, casi 0 si $\lvert z \rvert$ es grande |
# | ReLU | $\max(0, z)$ | 0 o 1 |
# | GELU | $z \cdot \Phi(z)$, donde $\Phi$ es la función de distribución normal | más o menos de 0 a 1, sin esquina |
#
# Una neurona con ReLU que es negativa para todas las imágenes no tiene gradiente y sigue así: está *muerta*. GELU y
# sus parientes (SiLU, leaky ReLU) le dejan algo de pendiente. Las usan los *transformers* y las redes convolucionales
# más recientes.
#
# Una [**conexión residual**](../../docs/glosario.md#conexión-residual) (atajo) suma lo que entra en una capa a lo que
# sale de ella: $x + f(x)$. Así, una parte del gradiente rodea la capa y ningún factor puede acabar con ella. Gracias a
# ella se pudieron entrenar redes de cien capas (He et al. 2016). Nuestra red base está hecha de bloques así.
#
# ¿Importa todo eso para aprender? Dos profundidades, y cada red con su mejor tasa. Haga antes su apuesta: ¿cuál es la
# mejor activación con dos capas ocultas y cuál con muchas?

# %%
plans = {
    "sigmoid": {"activation": "sigmoid", "scale": GLOROT},
    "tanh": {"activation": "tanh", "scale": GLOROT},
    "relu": {},
    "residual": {"residual": True, "scale": 0.5},
}
trained = {
    (name, depth): try_rates(drawn, RATES[:4], depth=depth, **plans[name]) for name in plans for depth in (2, DEPTH)
}

# %%
figure, axes = plots.plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained", sharey=True)
for ax, depth in zip(axes, (2, DEPTH)):
    plot_runs({words[name]: trained[name, depth] for name in plans}, ax).set_title(f"{depth} {words['hidden_layers']}")
accuracy = {key: 100 * runs[best_rate(runs)]["test"].mean() for key, runs in trained.items()}
for name in plans:
    print(f"{words[name]:>20}", *(f"{depth}: {accuracy[name, depth]:.1f} %  " for depth in (2, DEPTH)))
claim("sigmoids_do_not_learn_deep", accuracy["relu", DEPTH] - accuracy["sigmoid", DEPTH])
claim("sigmoids_are_fine_when_shallow", accuracy["sigmoid", 2] - accuracy["relu", 2])
claim("shortcuts_help_deep_networks", accuracy["residual", DEPTH] - accuracy["relu", DEPTH])

# %% [markdown] lang="en"
# *Validation accuracy for each learning rate. Above it: test accuracy, each at the rate that validation chose.*
#
# With two layers the sigmoid is no worse than ReLU here; deep, it does not learn at all, at any rate. And "ReLU beats
# tanh" is not a law: look at the right panel. Look also at what depth costs: on features by which a linear layer
# already tells the breeds apart, more layers are no help. They are here so that we can see what keeps them alive.
# Shortcuts give back most of what depth took. (Ours start at half of He's weights: with a shortcut around each layer
# the outputs would grow.)
#
# **Your turn (2).** Write a residual block: a batch of `width` numbers goes through a linear layer, ReLU and another
# linear layer, and then the shortcut is added. Nothing stands on the shortcut, no activation either.

# %% [markdown] lang="es"
# *Exactitud de validación con cada tasa de aprendizaje. Encima: exactitud en la prueba, cada red con la tasa que eligió
# la validación.*
#
# Con dos capas, la sigmoide no es aquí peor que ReLU; en una red profunda no aprende nada, con ninguna tasa. Y «ReLU
# supera a tanh» no es una ley: mire el panel derecho. Mire también lo que cuesta la profundidad: con características
# que a una capa lineal ya le bastan para distinguir las razas, más capas no ayudan. Están aquí para ver qué las
# mantiene vivas. Los atajos devuelven casi todo lo que la profundidad quitó. (Los nuestros empiezan con la mitad de
# los pesos de He: con un atajo alrededor de cada capa, las salidas crecerían).
#
# **Le toca a usted (2).** Escriba un bloque residual: un lote de `width` números pasa por una capa lineal, ReLU y otra
# capa lineal, y después se suma el atajo. En el atajo no hay nada, tampoco una activación.


# %% framework="pytorch" tags=["folded"]
def check_block(block):
    if not isinstance(block, nn.Module):
        print("✘", words["no_module"])
        return
    x, linear = torch.randn(50, 16), [part for part in block.modules() if isinstance(part, nn.Linear)]
    before = block(x)
    if len(linear) != 2 or before.shape != x.shape:
        print("✘", words["two_linear"], len(linear), tuple(before.shape))
        return
    bent = not torch.allclose(block(x) + block(-x), 2 * block(0 * x), atol=1e-4)
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    out = block(x)
    if torch.equal(out, 0 * x):
        print("✘", words["no_shortcut"])
    elif not torch.allclose(out, x):
        print("✘", words["shortcut_bent"])
    elif not bent:
        print("✘", words["no_relu"])
    else:
        print("✔", words["right"])


# %% framework="tensorflow" tags=["folded"]
def check_block(block):
    inputs = keras.Input((16,))
    outputs = block(inputs)
    if outputs is None:
        print("✘", words["no_tensor"])
        return
    net, x = keras.Model(inputs, outputs), np.random.default_rng(0).normal(size=(50, 16)).astype("float32")
    dense = [layer for layer in net.layers if isinstance(layer, layers.Dense)]
    if len(dense) != 2 or net.output_shape != (None, 16):
        print("✘", words["two_linear"], len(dense), net.output_shape)
        return
    out = [net(sign * x).numpy() for sign in (1, -1, 0)]
    net.set_weights([np.zeros_like(weight) for weight in net.get_weights()])
    through = net(x).numpy()
    if not through.any():
        print("✘", words["no_shortcut"])
    elif not np.allclose(through, x):
        print("✘", words["shortcut_bent"])
    elif np.allclose(out[0] + out[1], 2 * out[2], atol=1e-4):
        print("✘", words["no_relu"])
    else:
        print("✔", words["right"])


# %% framework="pytorch"
def make_block(width):
    """An `nn.Module` that takes and gives `(batch, width)`: write a class for it, and return an object of it."""
    # write here


check_block(make_block(16))


# %% framework="tensorflow"
def block(x):
    """Two `Dense` layers and the shortcut, on a symbolic tensor `(batch, width)`; returns a tensor of that shape."""
    # write here


check_block(block)


# %% framework="pytorch" tags=["solution"]
class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inside = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, x):
        return x + self.inside(x)


check_block(Block(16))


# %% framework="tensorflow" tags=["solution"]
def block(x):
    h = layers.Dense(x.shape[-1], "relu")(x)
    h = layers.Dense(x.shape[-1])(h)
    return layers.Add()([x, h])


check_block(block)

# %% [markdown] lang="en"
# ## 6. Batch normalisation
#
# [Batch normalisation](../../docs/glossary.md#batch-normalisation) (BatchNorm) does not trust to a good start. In every
# layer and every step it sets mean and spread right:
#
# $$\hat z = \frac{z - \mu}{\sqrt{s^2 + \varepsilon}}, \qquad \text{output} = \gamma \, \hat z + \beta$$
#
# Here $z$ is what a neuron has added up, $\mu$ and $s^2$ are the mean and the variance of $z$ over the images of the
# [batch](../../docs/glossary.md#batch), $\varepsilon$ is a small number against division by zero, and $\gamma$ and
# $\beta$ are learnt. For predictions running means of $\mu$ and $s^2$ are used, so that an image's answer does not
# depend on its neighbours.
#
# **Your turn (3).** Write the formula, as it works in training. The variance divides by the number of images, not by
# one less.

# %% [markdown] lang="es"
# ## 6. Normalización por lotes
#
# La [normalización por lotes](../../docs/glosario.md#normalización-por-lotes) (BatchNorm) no confía en un buen
# comienzo. En cada capa y en cada paso pone en su sitio la media y la dispersión:
#
# $$\hat z = \frac{z - \mu}{\sqrt{s^2 + \varepsilon}}, \qquad \text{salida} = \gamma \, \hat z + \beta$$
#
# Aquí $z$ es lo que una neurona ha sumado, $\mu$ y $s^2$ son la media y la varianza de $z$ sobre las imágenes del
# [lote](../../docs/glosario.md#lote), $\varepsilon$ es un número pequeño que evita dividir entre cero, y $\gamma$ y
# $\beta$ se aprenden. Para predecir se usan medias móviles de $\mu$ y $s^2$, para que la respuesta a una imagen no
# dependa de sus vecinas.
#
# **Le toca a usted (3).** Escriba la fórmula, tal como funciona al entrenar. En la varianza se divide entre el número
# de imágenes, no entre ese número menos uno.


# %% framework="pytorch" tags=["folded"]
def check_batch_norm(batch_norm):
    torch.manual_seed(0)
    z = torch.randn(8, 5) * torch.tensor([1.0, 10.0, 0.003, 2.0, 5.0]) + 3
    gamma, beta = torch.tensor([1.0, 2.0, 3.0, 0.5, 1.0]), torch.arange(5.0)
    found = batch_norm(z, gamma, beta)
    if not isinstance(found, torch.Tensor) or found.shape != z.shape:
        print("✘", words["not_a_batch"])
        return
    plain = (z - z.mean(0)) / (z.var(0, unbiased=False) + 1e-5).sqrt()
    wrong = {
        "no_gamma": [plain],
        "over_neurons": [gamma * F.layer_norm(z, (5,)) + beta],
        "one_less": [gamma * (z - z.mean(0)) / (z.var(0) + 1e-5).sqrt() + beta],
        "epsilon_outside": [gamma * (z - z.mean(0)) / (z.std(0, unbiased=False) + e) + beta for e in (1e-5, 0)],
    }
    if torch.allclose(found, F.batch_norm(z, None, None, gamma, beta, training=True), atol=1e-3):
        print("✔", words["right"])
        return
    near = [key for key, others in wrong.items() if any(torch.allclose(found, w, atol=1e-3) for w in others)]
    print("✘", words[near[0] if near else "another_formula"])


# %% framework="tensorflow" tags=["folded"]
def check_batch_norm(batch_norm):
    z = np.random.default_rng(0).normal(size=(8, 5)).astype("float32") * [1.0, 10.0, 0.003, 2.0, 5.0] + 3
    z, gamma, beta = (
        z.astype("float32"),
        np.array([1.0, 2.0, 3.0, 0.5, 1.0], "float32"),
        np.arange(5.0, dtype="float32"),
    )
    found = batch_norm(keras.ops.convert_to_tensor(z), gamma, beta)
    if found is None or np.shape(found) != z.shape:
        print("✘", words["not_a_batch"])
        return
    own = layers.BatchNormalization(epsilon=1e-5)
    own.build(z.shape)
    own.set_weights([gamma, beta, *own.get_weights()[2:]])
    centred, across = z - z.mean(0), z - z.mean(1, keepdims=True)
    wrong = {
        "no_gamma": [centred / np.sqrt(z.var(0) + 1e-5)],
        "over_neurons": [gamma * across / np.sqrt(z.var(1, keepdims=True) + 1e-5) + beta],
        "one_less": [gamma * centred / np.sqrt(z.var(0, ddof=1) + 1e-5) + beta],
        "epsilon_outside": [gamma * centred / (z.std(0) + e) + beta for e in (1e-5, 0)],
    }
    if np.allclose(found, own(z, training=True), atol=1e-3):
        print("✔", words["right"])
        return
    near = [key for key, others in wrong.items() if any(np.allclose(found, w, atol=1e-3) for w in others)]
    print("✘", words[near[0] if near else "another_formula"])


# %% framework="pytorch"
def batch_norm(z, gamma, beta, epsilon=1e-5):
    """BatchNorm in training of `z`, `(batch, neurons)`, from tensor operations."""
    # write here


check_batch_norm(batch_norm)


# %% framework="tensorflow"
def batch_norm(z, gamma, beta, epsilon=1e-5):
    """BatchNorm in training of `z`, `(batch, neurons)`, from `keras.ops` or `tf`."""
    # write here


check_batch_norm(batch_norm)


# %% framework="pytorch" tags=["solution"]
def batch_norm(z, gamma, beta, epsilon=1e-5):
    mean, variance = z.mean(0), z.var(0, unbiased=False)
    return gamma * (z - mean) / torch.sqrt(variance + epsilon) + beta


check_batch_norm(batch_norm)


# %% framework="tensorflow" tags=["solution"]
def batch_norm(z, gamma, beta, epsilon=1e-5):
    mean, variance = keras.ops.moments(z, 0)
    return gamma * (z - mean) / keras.ops.sqrt(variance + epsilon) + beta


check_batch_norm(batch_norm)

# %% [markdown] lang="en"
# What does it do to a deep network? First, with its first weights, before training: we make all weights of the hidden
# layers ten times as large.

# %% [markdown] lang="es"
# ¿Qué le hace a una red profunda? Primero, con sus pesos iniciales, antes de entrenar: hacemos diez veces mayores todos
# los pesos de las capas ocultas.

# %%
usual, large = (sizes(build(NETWORKS, batch_norm=True, scale=scale)[0], drawn) for scale in (1, 10))
print(f"{words['output_size']}: × {np.median(large[0] / usual[0]):.3f}")
print(f"{words['gradient_size']}: × {np.median(large[1] / usual[1]):.3f}")
claim("bn_ignores_the_scale", 100 * np.abs(large[0] / usual[0] - 1).max())

# %% [markdown] lang="en"
# Nothing changes: what is ten times too large is divided by ten. So behind a BatchNorm it does not matter how large
# weights are, only where they point. It is a good insurance against a bad start.
#
# But does it help when the start was good? Textbooks say: "deeper networks train better with it". The fair question is:
# with and without it, each at its **own best rate**.

# %% [markdown] lang="es"
# No cambia nada: lo que es diez veces mayor se divide entre diez. Así que, detrás de una BatchNorm, no importa el
# tamaño de los pesos, solo hacia dónde apuntan. Es un buen seguro contra un mal comienzo.
#
# Pero ¿ayuda cuando el comienzo era bueno? Los libros dicen: «con ella, las redes más profundas se entrenan mejor». La
# pregunta justa es: con ella y sin ella, cada una con **su mejor tasa**.

# %%
for depth in (2, DEPTH):
    trained["batch_norm", depth] = try_rates(drawn, depth=depth, batch_norm=True)
    trained["relu", depth] = {**trained["relu", depth], **try_rates(drawn, RATES[4:], depth=depth)}

# %%
figure, axes = plots.plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained", sharey=True)
gain = {}
for ax, depth in zip(axes, (2, DEPTH)):
    both = {name: trained[name, depth] for name in ("relu", "batch_norm")}
    plot_runs({words[name]: runs for name, runs in both.items()}, ax).set_title(f"{depth} {words['hidden_layers']}")
    without, with_it = (runs[best_rate(runs)]["test"] for runs in both.values())
    gain[depth] = metrics.paired_difference(without, with_it)
    print(f"{depth} {words['hidden_layers']}: {percent(without.mean())} → {percent(with_it.mean())}",
          metrics.describe_difference(gain[depth], LANGUAGE))  # fmt: skip

claim("bn_helps_deep_networks", 100 * gain[DEPTH])
at_low, with_low = (trained[name, DEPTH][RATES[1]]["test"] for name in ("relu", "batch_norm"))
claim("one_rate_says_the_opposite", 100 * metrics.paired_difference(at_low, with_low))

# %% [markdown] lang="en"
# *Validation accuracy for each learning rate, with the range of the networks. The lines above the figure compare on the
# test images, each network at the rate that validation chose.*
#
# So the textbooks are right. And yet, whoever had tried one rate alone, the second in our list, would have found the
# opposite, or at least no gain. The networks with BatchNorm need a larger rate. Why?
#
# ### The effective step
#
# Behind BatchNorm only the direction of the weights counts. A step of length $\eta$ turns weights of length
# $\lVert w \rVert$ by an angle of about $\eta / \lVert w \rVert$: the larger the weights, the less a step turns them.
# That angle is the **effective step** (van Laarhoven 2017). So first weights that are too large do no harm to what
# passes through the network, but they make each step smaller.
#
# If that is the reason, then two things should follow. At *one* rate larger first weights should learn worse. At each
# one's *best* rate they should do as well, and the best rate should move up. We try weights of a quarter, once and four
# times He's.

# %% [markdown] lang="es"
# *Exactitud de validación con cada tasa de aprendizaje, con el rango de las redes. Las líneas encima de la figura
# comparan con las imágenes de prueba, cada red con la tasa que eligió la validación.*
#
# Así que los libros tienen razón. Y, sin embargo, quien hubiera probado una sola tasa, la segunda de nuestra lista,
# habría concluido lo contrario, o al menos no habría visto ganancia alguna. Las redes con BatchNorm necesitan una
# tasa mayor. ¿Por qué?
#
# ### El paso efectivo
#
# Detrás de BatchNorm solo cuenta la dirección de los pesos. Un paso de longitud $\eta$ gira unos pesos de longitud
# $\lVert w \rVert$ un ángulo de más o menos $\eta / \lVert w \rVert$: cuanto mayores son los pesos, menos los gira un
# paso. Ese ángulo es el **paso efectivo** (van Laarhoven 2017). Por eso, unos pesos iniciales demasiado grandes no
# perjudican lo que pasa por la red, pero hacen más pequeño cada paso.
#
# Si esa es la razón, de ella deberían seguirse dos cosas. Con *una misma* tasa, unos pesos iniciales mayores deberían
# aprender peor. Con *la mejor* de cada uno deberían acertar igual, y la mejor tasa debería subir. Probamos con pesos
# de un cuarto de los de He, iguales a ellos y cuatro veces mayores.

# %%
SCALES = (0.25, 1, 4)
scaled = {0.25: try_rates(drawn, RATES[:4], batch_norm=True, scale=0.25), 1: trained["batch_norm", DEPTH]}
scaled[4] = try_rates(drawn, (*RATES[1:], 0.3), batch_norm=True, scale=4)
without = try_rates(drawn, RATES[1:4], scale=4)
ax = plot_runs({**{f"{scale} × He": scaled[scale] for scale in SCALES}, words["without"]: without})
at_one = {scale: 100 * scaled[scale][RATES[1]]["test"].mean() for scale in SCALES}
best = {scale: best_rate(scaled[scale]) for scale in SCALES}
at_best = {scale: 100 * scaled[scale][best[scale]]["test"].mean() for scale in SCALES}
for scale in SCALES:
    print(
        f"{scale:>5} × He   {words['rate']} {RATES[1]}: {at_one[scale]:.1f} %   {best[scale]}: {at_best[scale]:.1f} %"
    )
claim("large_weights_mean_small_steps", at_one[0.25] - at_one[4])
claim("bn_forgives_a_bad_start", at_best[4] - 100 * without[best_rate(without)]["test"].mean())
claim("the_best_rate_makes_up_for_it", max(at_best.values()) - min(at_best.values()))

# %% [markdown] lang="en"
# *Networks with BatchNorm, from first weights of three sizes, and for comparison one kind without it. The lines above:
# test accuracy at one rate, and at the best one.*
#
# The hills are alike; they stand at different rates. (Without BatchNorm no rate makes up for weights four times too
# large.) With SGD instead of Adam the shift is even larger: there the gradient shrinks as the weights grow, and the
# effective step is $\eta / \lVert w \rVert^2$.
#
# A word on relatives. **LayerNorm** takes mean and variance over the neurons of one image, **GroupNorm** over groups
# of channels. Neither needs a batch, so they work the same in training and in prediction. Transformers have
# LayerNorm. With a few images a batch, BatchNorm's $\mu$ and $s^2$ become noise; then take GroupNorm, or freeze
# BatchNorm, as lesson 01 did.
#
# ## 7. Dropout, with enough draws
#
# [Dropout](../../docs/glossary.md#dropout) leaves out each hidden neuron in each training step with probability $p$.
# The rest are multiplied by $1/(1-p)$, so that the mean stays. For predictions nothing is left out.

# %% [markdown] lang="es"
# *Redes con BatchNorm, a partir de pesos iniciales de tres tamaños y, para comparar, unas sin ella. Las líneas de
# encima: exactitud en la prueba con una misma tasa y con la mejor.*
#
# Las colinas se parecen; están en tasas distintas. (Sin BatchNorm, ninguna tasa compensa unos pesos cuatro veces
# mayores de lo debido). Con SGD en lugar de Adam, el desplazamiento es aún mayor: allí el gradiente encoge cuando los
# pesos crecen, y el paso efectivo es $\eta / \lVert w \rVert^2$.
#
# Unas palabras sobre sus parientes. **LayerNorm** toma la media y la varianza sobre las neuronas de una imagen;
# **GroupNorm**, sobre grupos de canales. Ninguna necesita un lote, así que funcionan igual al entrenar y al predecir.
# Los *transformers* llevan LayerNorm. Con pocas imágenes por lote, $\mu$ y $s^2$ de BatchNorm se vuelven ruido;
# entonces use GroupNorm, o congele BatchNorm, como hizo la lección 01.
#
# ## 7. *Dropout*, con suficientes repeticiones
#
# El [dropout](../../docs/glosario.md#dropout) apaga cada neurona oculta, en cada paso del entrenamiento, con
# probabilidad $p$. Las demás se multiplican por $1/(1-p)$, para que la media se mantenga. Para predecir no se apaga
# nada.

# %% framework="pytorch"
dropout, ones = nn.Dropout(0.5), torch.ones(12)
print("train():", dropout.train()(ones).numpy())
print("eval(): ", dropout.eval()(ones).numpy())

# %% framework="tensorflow"
dropout, ones = layers.Dropout(0.5), np.ones(12, "float32")
print("training=True: ", dropout(ones, training=True).numpy())
print("training=False:", dropout(ones, training=False).numpy())

# %% [markdown] lang="en"
# Dropout slows learning down: in each step only a part of the network learns. So a comparison after few steps is unfair
# to it. We compare after few and after many, each at the better of two rates, with as many networks as `MANY_NETWORKS`
# says.

# %% [markdown] lang="es"
# El *dropout* frena el aprendizaje: en cada paso aprende solo una parte de la red. Por eso, compararlo tras pocos pasos
# es injusto con él. Comparamos tras pocos y tras muchos, cada vez con la mejor de dos tasas y con tantas redes como
# diga `MANY_NETWORKS`.

# %%
many, after = draw(MANY_NETWORKS), (STEPS // 2, 2 * STEPS)
chosen = {}
for p in (0.0, 0.5, 0.8):
    for steps in after:
        runs = try_rates(many, (0.01, 0.03), steps=steps, depth=1, dropout=p)
        chosen[p, steps] = runs[best_rate(runs)]["test"]
        difference = metrics.paired_difference(chosen[0.0, steps], chosen[p, steps])
        verdict = metrics.describe_difference(difference, LANGUAGE) if p else ""
        print(f"p = {p}, {steps:>4} {words['steps']}: {percent(chosen[p, steps].mean())} {verdict}", flush=True)

# %% [markdown] lang="en"
# After many steps the effect is about two points, and for $p = 0.8$ the few steps would have hidden it. How many
# networks does it take to see such an effect? The figure shows what we would have reported of $p = 0.5$ after many
# steps, had we trained 3, 10 or more networks of each kind. For that we draw from the measured networks, again and
# again.

# %% [markdown] lang="es"
# Tras muchos pasos el efecto es de unos dos puntos, y con $p = 0.8$ los pocos pasos lo habrían ocultado. ¿Cuántas
# redes hacen falta para ver un efecto así? La figura muestra lo que habríamos comunicado sobre $p = 0.5$ tras muchos
# pasos si hubiéramos entrenado 3, 10 o más redes de cada tipo. Para ello sorteamos una y otra vez entre las redes
# medidas.

# %%
gains = 100 * (chosen[0.5, after[1]].mean(1) - chosen[0.0, after[1]].mean(1))  # of each network
rng = np.random.default_rng(SEED)
ax = plots.new_axes(None, 6, 2.2)
for row, k in enumerate((3, 10, MANY_NETWORKS)):
    low, middle, high = np.quantile(gains[rng.integers(0, len(gains), (4000, k))].mean(1), [0.025, 0.5, 0.975])
    ax.errorbar(middle, row, xerr=[[middle - low], [high - middle]], capsize=4,
                color=plots.COLOURS[row], marker=plots.MARKERS[row])  # fmt: skip
    print(f"{k:>3} {words['networks']}: {low:+.1f} … {high:+.1f}")
ax.axvline(0, color="#666666", linewidth=1, linestyle=":")
ax.set_yticks(range(3), [f"{k} {words['networks']}" for k in (3, 10, MANY_NETWORKS)])
ax.set(xlabel=words["reported_gain"], ylim=(2.5, -0.5))
claim("dropout_gains_with_time", 100 * metrics.paired_difference(chosen[0.0, after[1]], chosen[0.5, after[1]]))
patience = [chosen[0.8, steps].mean() - chosen[0.0, steps].mean() for steps in after]
claim("dropout_needs_time", 100 * (patience[1] - patience[0]))

# %% [markdown] lang="en"
# *What dropout gains, as it would be reported, in 95 of 100 cases; the dotted line is "nothing".*
#
# ## 8. On one page
#
# Here is a plain network, one at a time and without any of our side-by-side layers: He's weights, BatchNorm, ReLU. It
# reads features from a file. If our side-by-side training is nothing but a trick to save time, it must reach the same
# accuracy, on the same images and at the same rate.

# %% [markdown] lang="es"
# *Lo que gana el dropout, tal como se comunicaría en 95 de cada 100 casos; la línea de puntos es «nada».*
#
# ## 8. En una página
#
# Esta es una red corriente, de una en una y sin nuestras capas en paralelo: pesos de He, BatchNorm, ReLU. Lee las
# características de un archivo. Si entrenar varias a la vez no es más que una manera de ahorrar tiempo, debe alcanzar
# la misma exactitud, con las mismas imágenes y la misma tasa.

# %% framework="pytorch"
# %%writefile {folder}/one_page.py
import sys

import numpy as np
import torch
from torch import nn, optim
from torch.nn import functional as F

FILE, RATE, STEPS = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
data = {key: torch.from_numpy(array) for key, array in np.load(FILE).items()}
accuracies = []
for k in range(data["x"].shape[1]):  # several draws of training images
    torch.manual_seed(k)
    x, y, test = (data[key][:, k] for key in ("x", "y", "test"))
    layers, inputs = [], x.shape[1]
    for _ in range(2):
        linear = nn.Linear(inputs, 64)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        layers += [linear, nn.BatchNorm1d(64), nn.ReLU()]
        inputs = 64
    model = nn.Sequential(*layers, nn.Linear(64, int(y.max()) + 1))
    optimizer = optim.Adam(model.parameters(), lr=RATE)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        batch = torch.randint(len(y), (32,))
        loss = F.cross_entropy(model(x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.inference_mode():
        right = model.eval()(test).argmax(1) == data["labels"]
    accuracies.append(right.float().mean().item())
print(f"accuracy {np.mean(accuracies):.4f}")

# %% framework="tensorflow"
# %%writefile {folder}/one_page.py
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
import keras
import numpy as np
from keras import layers

FILE, RATE, STEPS = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
data, accuracies = np.load(FILE), []
for k in range(data["x"].shape[1]):  # several draws of training images
    keras.utils.set_random_seed(k)
    x, y, test = (data[key][:, k] for key in ("x", "y", "test"))
    model = keras.Sequential([keras.Input(x.shape[1:])])
    for _ in range(2):
        model.add(layers.Dense(64, kernel_initializer="he_normal"))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.Activation("relu"))
    model.add(layers.Dense(int(y.max()) + 1))
    rate = keras.optimizers.schedules.CosineDecay(RATE, STEPS)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, jit_compile=False)
    rng = np.random.default_rng(k)
    for _ in range(STEPS):
        batch = rng.integers(len(y), size=32)
        model.train_on_batch(x[batch], y[batch])
    right = model.predict(test, verbose=0).argmax(1) == data["labels"]
    accuracies.append(right.mean())
print(f"accuracy {np.mean(accuracies):.4f}")

# %%
few = {key: array[:, :5] for key, array in drawn.items()}
np.savez(folder / "features.npz", **few, labels=labels["test"])
runs = trained["batch_norm", 2]
arguments = [folder / "features.npz", best_rate(runs), STEPS]
command = [sys.executable, str(folder / "one_page.py"), *map(str, arguments)]
said = subprocess.run(command, capture_output=True, text=True)
print(said.stdout or said.stderr)
from_lesson = runs[best_rate(runs)]["test"][:5].mean()
claim("script_agrees", 100 * abs(float(said.stdout.split()[1]) - from_lesson))

# %% [markdown] lang="en"
# ## What you can do now
#
# - Set first weights by $\sqrt{2/n}$, and know that this is right on average only: luck grows with depth over width.
# - Measure outputs and gradients layer by layer; write a residual block and BatchNorm.
# - Compare fairly: each network at its own best rate, many draws, an interval. BatchNorm at one rate looked like a
#   loss, and is a gain.
# - Explain it: behind BatchNorm large weights mean small effective steps.
#
# Each trick mends one defect. Without the defect it changes little: standardising inputs of like size, ReLU in a
# shallow network. All this was measured on features of the course's drawings; on your data the size of an effect will
# be different, the way to measure it will not.
#
# From the toolbox this lesson used `load_network` and, in PyTorch, `replace_head`, `predict` and `ImageDataset`. It
# added nothing to it.
#
# ## Check yourself

# %% [markdown] lang="es"
# ## Lo que ya sabe hacer
#
# - Fijar los pesos iniciales con $\sqrt{2/n}$, sabiendo que solo es correcto en promedio: la suerte crece con el
#   cociente entre profundidad y anchura.
# - Medir salidas y gradientes capa por capa; escribir un bloque residual y BatchNorm.
# - Comparar con justicia: cada red con su mejor tasa, muchas repeticiones y un intervalo. Con una sola tasa, BatchNorm
#   parecía perjudicar; en realidad, ayuda.
# - Explicarlo: detrás de BatchNorm, unos pesos grandes significan pasos efectivos pequeños.
#
# Cada truco remedia un defecto. Sin el defecto cambia poco: estandarizar entradas de tamaño parecido, ReLU en una red
# poco profunda. Todo esto se ha medido con características de los dibujos del curso; con sus datos el tamaño de un
# efecto será otro, pero la manera de medirlo no.
#
# De la caja de herramientas, esta lección ha usado `load_network` y, en PyTorch, `replace_head`, `predict` e
# `ImageDataset`. No le ha añadido nada.
#
# ## Compruebe lo aprendido

# %%
show_quiz("11a_signals_and_normalisation/after", LANGUAGE)

# %% [markdown] lang="en"
# ## Further reading
#
# - X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", *AISTATS*
#   2010.
# - K. He, X. Zhang, S. Ren and J. Sun, "Delving deep into rectifiers", *ICCV* 2015; and "Deep residual learning for
#   image recognition", *CVPR* 2016.
# - B. Hanin and M. Nica, "Products of many large random matrices and gradients in deep neural networks", 2018.
# - S. Ioffe and C. Szegedy, "Batch normalization", *ICML* 2015.
# - T. van Laarhoven, "L2 regularization versus batch and weight normalization", 2017: the effective step.
# - Y. Wu and K. He, "Group normalization", *ECCV* 2018.
# - N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever and R. Salakhutdinov, "Dropout", *JMLR* 15, 2014.

# %% [markdown] lang="es"
# ## Para seguir leyendo
#
# - X. Glorot e Y. Bengio, «Understanding the difficulty of training deep feedforward neural networks», *AISTATS* 2010.
# - K. He, X. Zhang, S. Ren y J. Sun, «Delving deep into rectifiers», *ICCV* 2015; y «Deep residual learning for image
#   recognition», *CVPR* 2016.
# - B. Hanin y M. Nica, «Products of many large random matrices and gradients in deep neural networks», 2018.
# - S. Ioffe y C. Szegedy, «Batch normalization», *ICML* 2015.
# - T. van Laarhoven, «L2 regularization versus batch and weight normalization», 2017: el paso efectivo.
# - Y. Wu y K. He, «Group normalization», *ECCV* 2018.
# - N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever y R. Salakhutdinov, «Dropout», *JMLR* 15, 2014.
