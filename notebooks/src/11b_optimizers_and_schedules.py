# %% [markdown] lang="en"
# # Training tricks II: optimizers and schedules
#
# **{Framework}** · about 45 minutes · before this:
# [11a Signals and normalisation](11a_signals_and_normalisation_{framework}.ipynb).
#
# The gradient says which way. How far, and with what else in mind? After this lesson you can
#
# - tell the optimizers apart by what each divides by, and write Adam in eight lines;
# - compare them fairly: each at its own best rate, with the same number of trials;
# - use weight decay that is no L2 penalty, and leave biases out of it;
# - write a schedule with warm-up, and clip gradients;
# - stop, average and combine with open eyes: by which number, and what it brought.

# %% [markdown] lang="es"
# # Trucos de entrenamiento II: optimizadores y planes de la tasa
#
# **{Framework}** · unos 45 minutos · antes:
# [11a Señales y normalización](11a_signals_and_normalisation_{framework}.ipynb).
#
# El gradiente dice hacia dónde. ¿Hasta dónde, y con qué más en cuenta? Al terminar esta lección podrá:
#
# - distinguir los optimizadores por la cantidad entre la que divide cada uno, y escribir Adam en ocho líneas;
# - compararlos con justicia: cada uno con su mejor tasa y con el mismo número de intentos;
# - usar un decaimiento de pesos que no es una penalización L2, sin aplicarlo a los sesgos;
# - escribir un plan de la tasa con calentamiento y recortar gradientes;
# - parar, promediar y combinar sabiendo lo que hace: según qué número, y qué se ha ganado con ello.

# %% tags=["parameters"]
SEED = 0
DATASET = "drawn_pets_breeds"  # or "oxford_pets_breeds", "cats_vs_dogs", a folder with one sub-folder a class
BACKBONE = "mini_resnet"  # or "efficientnet_lite0", "resnet50", ...
IMAGE_SIZE = 64  # side of the images, in pixels; what the backbone was trained at
IMAGES = 80  # images of each class that are used at all, training, validation and test together
LABELS = 10  # labelled training images of each class
NETWORKS = 16  # networks in each experiment; each has its own images and first weights
STEPS = 250  # steps of each training

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
show_quiz("11b_optimizers_and_schedules/before", LANGUAGE)

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
tensor = torch.from_numpy  # from an array to what PyTorch computes with
print("PyTorch", torch.__version__, device)

# %% framework="tensorflow"
import keras
import tensorflow as tf
from keras import layers

from tlhelpers.tensorflow.networks import load_network

tensor = tf.constant  # from an array to what Keras computes with
print("TensorFlow", tf.__version__, "Keras", keras.__version__)

# %% [markdown] lang="en"
# ## 1. What each divides by
#
# Every [optimizer](../../docs/glossary.md#optimizer) takes the gradient $g_t$ of a weight at step $t$ and makes a step
# of it. $\eta$ is the [learning rate](../../docs/glossary.md#learning-rate), $\varepsilon$ a tiny number against
# division by zero. Squares and roots are taken weight by weight.
#
# | name | it remembers | step: $w_{t+1} = w_t - \dots$ |
# | --- | --- | --- |
# | [SGD](../../docs/glossary.md#sgd) | nothing | $\eta\, g_t$ |
# | [Momentum](../../docs/glossary.md#momentum) | $m_t = \mu\, m_{t-1} + g_t$ | $\eta\, m_t$ |
# | [Adagrad](../../docs/glossary.md#adagrad) | $s_t = s_{t-1} + g_t^2$ | $\eta\, g_t / (\sqrt{s_t} + \varepsilon)$ |
# | [RMSProp](../../docs/glossary.md#rmsprop) | $v_t = \rho\, v_{t-1} + (1-\rho)\, g_t^2$ | $\eta\, g_t / (\sqrt{v_t} + \varepsilon)$ |
# | [Adam](../../docs/glossary.md#adam) | $m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t$, $\;v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2$ | $\eta\, \hat m_t / (\sqrt{\hat v_t} + \varepsilon)$ |
#
# - **Momentum** divides by nothing. It adds up past gradients; $\mu$ (0.9) says how much of the last sum is kept.
# - **Adagrad** divides by the root of the **sum** of all squared gradients so far. A sum only grows, so steps only
#   shrink.
# - **RMSProp** divides by the root of their running **mean**; $\rho$ (0.9) says how long the past counts.
# - **Adam** takes running means of the gradient ($\beta_1 = 0.9$) and of its square ($\beta_2 = 0.999$). Both start at
#   0 and are too small at first. So it corrects them: $\hat m_t = m_t / (1 - \beta_1^t)$,
#   $\hat v_t = v_t / (1 - \beta_2^t)$.
#
# Suppose the gradient is 1, always. Which optimizer takes ever smaller steps? Whose first step is the longest? We ask
# {Framework}'s own.

# %% [markdown] lang="es"
# ## 1. Entre qué divide cada uno
#
# Cada [optimizador](../../docs/glosario.md#optimizador) toma el gradiente $g_t$ de un peso en el paso $t$ y lo
# convierte en un paso. $\eta$ es la [tasa de aprendizaje](../../docs/glosario.md#tasa-de-aprendizaje) y $\varepsilon$
# un número diminuto que evita dividir entre cero. Cuadrados y raíces se calculan peso a peso.
#
# | nombre | qué recuerda | paso: $w_{t+1} = w_t - \dots$ |
# | --- | --- | --- |
# | [SGD](../../docs/glosario.md#sgd) | nada | $\eta\, g_t$ |
# | [Momentum](../../docs/glosario.md#momentum) | $m_t = \mu\, m_{t-1} + g_t$ | $\eta\, m_t$ |
# | [Adagrad](../../docs/glosario.md#adagrad) | $s_t = s_{t-1} + g_t^2$ | $\eta\, g_t / (\sqrt{s_t} + \varepsilon)$ |
# | [RMSProp](../../docs/glosario.md#rmsprop) | $v_t = \rho\, v_{t-1} + (1-\rho)\, g_t^2$ | $\eta\, g_t / (\sqrt{v_t} + \varepsilon)$ |
# | [Adam](../../docs/glosario.md#adam) | $m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t$, $\;v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2$ | $\eta\, \hat m_t / (\sqrt{\hat v_t} + \varepsilon)$ |
#
# - **Momentum** no divide entre nada. Acumula los gradientes pasados; $\mu$ (0.9) dice cuánto se conserva de la última
#   suma.
# - **Adagrad** divide entre la raíz de la **suma** de todos los gradientes al cuadrado hasta ahora. Una suma solo
#   crece, así que los pasos solo encogen.
# - **RMSProp** divide entre la raíz de su **media** móvil; $\rho$ (0.9) dice cuánto tiempo cuenta el pasado.
# - **Adam** lleva medias móviles del gradiente ($\beta_1 = 0.9$) y de su cuadrado ($\beta_2 = 0.999$). Las dos empiezan
#   en 0 y al principio se quedan cortas. Por eso las corrige: $\hat m_t = m_t / (1 - \beta_1^t)$,
#   $\hat v_t = v_t / (1 - \beta_2^t)$.
#
# Suponga que el gradiente es siempre 1. ¿Qué optimizador da pasos cada vez más pequeños? ¿Cuál da el primer paso más
# largo? Se lo preguntamos a los de {Framework}.

# %% framework="pytorch"
OPTIMIZERS = {
    "SGD": lambda parameters, **options: optim.SGD(parameters, lr=0.01, **options),
    "Momentum": lambda parameters, **options: optim.SGD(parameters, lr=0.01, momentum=0.9, **options),
    "Adagrad": lambda parameters, **options: optim.Adagrad(parameters, lr=0.01, **options),
    "RMSProp": lambda parameters, **options: optim.RMSprop(parameters, lr=0.01, alpha=0.9, **options),
    "Adam": lambda parameters, **options: optim.Adam(parameters, lr=0.01, **options),
    "AdamW": lambda parameters, **options: optim.AdamW(parameters, lr=0.01, **options),
}


def set_rate(optimizer, lr):
    for group in optimizer.param_groups:
        group["lr"] = lr


# %% framework="tensorflow"
OPTIMIZERS = {
    "SGD": lambda **options: keras.optimizers.SGD(0.01, **options),
    "Momentum": lambda **options: keras.optimizers.SGD(0.01, momentum=0.9, **options),
    "Adagrad": lambda **options: keras.optimizers.Adagrad(0.01, initial_accumulator_value=0.0, **options),
    "RMSProp": lambda **options: keras.optimizers.RMSprop(0.01, rho=0.9, **options),
    "Adam": lambda **options: keras.optimizers.Adam(0.01, **options),
    "AdamW": lambda **options: keras.optimizers.AdamW(0.01, **options),
}


def set_rate(optimizer, lr):
    optimizer.learning_rate = lr


# %% framework="pytorch"
def follow(name, gradient_of, start, steps, lr, plan=lambda progress: 1, l2=0.0, **options):
    """The way of some weights, `(steps + 1, weights)`, where `gradient_of(w)` is their gradient."""
    w = nn.Parameter(torch.tensor(start, dtype=torch.float32))
    optimizer, path = OPTIMIZERS[name]([w], **options), [np.array(start, float)]
    for step in range(steps):
        set_rate(optimizer, lr * plan(step / steps))
        w.grad = torch.tensor(gradient_of(path[-1]) + l2 * path[-1], dtype=torch.float32)
        optimizer.step()
        path.append(w.detach().numpy().astype(float))
    return np.stack(path)


# %% framework="tensorflow"
def follow(name, gradient_of, start, steps, lr, plan=lambda progress: 1, l2=0.0, **options):
    """The way of some weights, `(steps + 1, weights)`, where `gradient_of(w)` is their gradient."""
    w = keras.Variable(np.array(start, "float32"), name="kernel")
    optimizer, path = OPTIMIZERS[name](**options), [np.array(start, float)]
    for step in range(steps):
        set_rate(optimizer, lr * plan(step / steps))
        gradient = (gradient_of(path[-1]) + l2 * path[-1]).astype("float32")
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [w])
        path.append(keras.ops.convert_to_numpy(w).astype(float))
    return np.stack(path)


# %%
NAMES = ("SGD", "Momentum", "Adagrad", "RMSProp", "Adam")
lengths = {name: -np.diff(follow(name, np.ones_like, [0.0], 100, lr=0.01)[:, 0]) / 0.01 for name in NAMES}
ax = plots.new_axes(None)
for k, name in enumerate(NAMES):
    look = {"color": plots.COLOURS[k], "linestyle": plots.LINES[k], "marker": plots.MARKERS[k], "markevery": (k, 12)}
    ax.plot(np.arange(1, 101), lengths[name], label=name, **look)
ax.set(xscale="log", yscale="log", xlabel=words["step"], ylabel=words["step_length"])
plots.tidy(ax)
ax.legend(frameon=False)
claim("adagrad_slows_by_the_root", lengths["Adagrad"][99] / lengths["Adagrad"][0])

# %% [markdown] lang="en" framework="pytorch"
# *Length of each step, divided by the learning rate, when the gradient is 1 at every step. Both scales are logarithmic;
# SGD and Adam lie on one another.*
#
# Without its correction Adam's first step would be $0.1 / \sqrt{0.001} \approx 3.2$ times the rate; RMSProp, which has
# none, shows it. And names differ from book to book: here RMSProp's $\rho$ is called `alpha`, and `weight_decay` is an
# L2 penalty in all of PyTorch's classical optimizers but AdamW (section 3).

# %% [markdown] lang="en" framework="tensorflow"
# *Length of each step, divided by the learning rate, when the gradient is 1 at every step. Both scales are logarithmic;
# SGD and Adam lie on one another.*
#
# Without its correction Adam's first step would be $0.1 / \sqrt{0.001} \approx 3.2$ times the rate; RMSProp, which has
# none, shows it. And constants differ from book to book: Keras starts Adagrad's sum at 0.1, unless told otherwise as
# above, and its `weight_decay` is decoupled in every optimizer (section 3).

# %% [markdown] lang="es" framework="pytorch"
# *Longitud de cada paso, dividida entre la tasa de aprendizaje, cuando el gradiente es 1 en todos los pasos. Las dos
# escalas son logarítmicas; SGD y Adam se superponen.*
#
# Sin su corrección, el primer paso de Adam sería de $0.1 / \sqrt{0.001} \approx 3.2$ veces la tasa; RMSProp, que no la
# tiene, lo muestra. Y los nombres cambian de un libro a otro: aquí la $\rho$ de RMSProp se llama `alpha`, y
# `weight_decay` es una penalización L2 en todos los optimizadores clásicos de PyTorch menos en AdamW (sección 3).

# %% [markdown] lang="es" framework="tensorflow"
# *Longitud de cada paso, dividida entre la tasa de aprendizaje, cuando el gradiente es 1 en todos los pasos. Las dos
# escalas son logarítmicas; SGD y Adam se superponen.*
#
# Sin su corrección, el primer paso de Adam sería de $0.1 / \sqrt{0.001} \approx 3.2$ veces la tasa; RMSProp, que no la
# tiene, lo muestra. Y las constantes cambian de un libro a otro: Keras empieza la suma de Adagrad en 0.1, salvo que se
# le diga otra cosa, como arriba, y su `weight_decay` es desacoplado en todos los optimizadores (sección 3).

# %% [markdown] lang="en"
# **Your turn (1).** Write Adam with {Framework}'s tensors. One step takes the weights `w`, their gradient `g`, the two
# memories `m` and `v`, and the number `t` of the step, from 1 on. It returns the new `w`, `m` and `v`. The check lets
# your steps and {Framework}'s own go the same way.

# %% [markdown] lang="es"
# **Le toca a usted (1).** Escriba Adam con los tensores de {Framework}. Un paso recibe los pesos `w`, su gradiente `g`,
# las dos memorias `m` y `v`, y el número `t` del paso, desde 1. Devuelve los nuevos `w`, `m` y `v`. La comprobación
# hace que sus pasos y los de {Framework} recorran el mismo camino.


# %% tags=["folded"]
def check_adam(adam_step):
    gradients = np.random.default_rng(0).normal(size=(8, 4)) * [1, 0.01, 0.1, 10]
    rest = iter(gradients)
    own = follow("Adam", lambda w: next(rest), [1.0, 1.0, 1.0, 1.0], len(gradients), lr=0.1)

    def walk(step):
        w, m, v = tensor(np.ones(4)), tensor(np.zeros(4)), tensor(np.zeros(4))
        for t, g in enumerate(gradients, 1):
            w, m, v = step(w, tensor(g), m, v, t, 0.1)
        return np.asarray(w)

    def variant(correct=True, root=True, share=True):
        def step(w, g, m, v, t, lr):
            m, v = 0.9 * m + (0.1 if share else 1) * g, 0.999 * v + (0.001 if share else 1) * g**2
            a, b = (m / (1 - 0.9**t), v / (1 - 0.999**t)) if correct else (m, v)
            return w - lr * a / ((b**0.5 if root else b) + EPSILON), m, v

        return step

    try:
        found = walk(adam_step)
    except (TypeError, ValueError):
        print("✘", words["three_parts"])
        return
    wrong = {"no_correction": variant(correct=False), "no_root": variant(root=False), "sums": variant(share=False)}
    near = [key for key, step in wrong.items() if np.allclose(found, walk(step), rtol=1e-3, atol=1e-3)]
    right = np.allclose(found, own[-1], atol=1e-3)
    print("✔" if right else "✘", words["right" if right else near[0] if near else "another_way"])


# %% framework="pytorch"
EPSILON = 1e-8  # PyTorch's own


def adam_step(w, g, m, v, t, lr, beta1=0.9, beta2=0.999):
    """One step of Adam; `w`, `g`, `m` and `v` are tensors of one shape."""
    # write here


check_adam(adam_step)

# %% framework="tensorflow"
EPSILON = 1e-7  # Keras's own


def adam_step(w, g, m, v, t, lr, beta1=0.9, beta2=0.999):
    """One step of Adam; `w`, `g`, `m` and `v` are tensors of one shape."""
    # write here


check_adam(adam_step)


# %% framework="pytorch" tags=["solution"]
def adam_step(w, g, m, v, t, lr, beta1=0.9, beta2=0.999):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    w = w - lr * m_hat / (torch.sqrt(v_hat) + EPSILON)
    return w, m, v


check_adam(adam_step)


# %% framework="tensorflow" tags=["solution"]
def adam_step(w, g, m, v, t, lr, beta1=0.9, beta2=0.999):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    w = w - lr * m_hat / (keras.ops.sqrt(v_hat) + EPSILON)
    return w, m, v


check_adam(adam_step)

# %% [markdown] lang="en"
# Why divide at all? Here is a bowl that is a hundred times steeper one way than the other,
# $L(w) = \frac12 (w_1^2 + 100\, w_2^2)$. The steep way forbids large steps, the flat way needs them.

# %% [markdown] lang="es"
# ¿Para qué dividir? Este es un cuenco cien veces más empinado en una dirección que en la otra,
# $L(w) = \frac12 (w_1^2 + 100\, w_2^2)$. La dirección empinada impide los pasos grandes; la llana los necesita.

# %%
steep = np.array([1.0, 100.0])
valley_rates = {"SGD": 0.018, "Momentum": 0.01, "Adagrad": 0.3, "RMSProp": 0.03, "Adam": 0.1}
figure, axes = plots.plt.subplots(1, 5, figsize=(10, 2.3), layout="constrained", sharey=True)
a, b = np.meshgrid(np.linspace(-1.1, 0.3, 60), np.linspace(-0.8, 0.8, 60))
for k, (ax, name) in enumerate(zip(axes, NAMES)):
    path = follow(name, lambda w: steep * w, [-1.0, 0.7], 60, valley_rates[name])
    ax.contour(a, b, np.sqrt((a**2 + 100 * b**2) / 2), levels=8, colors="#CCCCCC", linewidths=0.7)
    ax.plot(*path.T, color=plots.COLOURS[k], marker=plots.MARKERS[k], markersize=3, linewidth=1)
    ax.set(title=f"{name}, {valley_rates[name]}", xlabel="$w_1$")
label = axes[0].set_ylabel("$w_2$")

# %% [markdown] lang="en"
# *Sixty steps in the narrow valley, each with a rate that suits it. SGD jumps from side to side and creeps along.
# Momentum swings, but gets on. Those that divide treat both directions alike.*
#
# ## 2. Which one is best?
#
# An unfair comparison gives each the same rate, or tries many rates for one's own favourite. A fair one gives each its
# own best of **equally many** rates. We compare on small networks, as lesson 11a did: the
# [features](../../docs/glossary.md#feature) of a frozen [backbone](../../docs/glossary.md#backbone), `LABELS` images of
# each breed, one hidden layer. Each network has its own draw of images.

# %% [markdown] lang="es"
# *Sesenta pasos por el valle estrecho, cada uno con una tasa que le conviene. SGD salta de un lado a otro y avanza a
# rastras. Con momentum oscila, pero avanza. Los que dividen tratan igual las dos direcciones.*
#
# ## 2. ¿Cuál es el mejor?
#
# Una comparación injusta da a todos la misma tasa, o prueba muchas con el favorito de quien compara. Una justa da a
# cada uno la mejor de **igual número** de tasas. Comparamos con redes pequeñas, como en la lección 11a: las
# [características](../../docs/glosario.md#característica) de una [red base](../../docs/glosario.md#red-base) congelada,
# `LABELS` imágenes de cada raza y una capa oculta. Cada red tiene sus propias imágenes.

# %% tags=["nbval-check-output"]
data = load_splits(DATASET, image_size=IMAGE_SIZE, seed=SEED, max_per_class=IMAGES, val_fraction=0.2, progress=False)
classes = len(data.train.class_names)
labels = {"val": data.val.labels, "test": data.test.labels}
for name, part in (("train", data.train), ("val", data.val), ("test", data.test)):
    print(f"{name:>5}: {len(part)}")

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


# %%
pool, val, test = (features_of(part.images) for part in (data.train, data.val, data.test))
most = min(LABELS, int(np.bincount(data.train.labels).min()))
drawn = {"x": [], "y": [], "val": [], "test": []}
for k in range(NETWORKS):  # each network its own images, standardised by them
    rng = np.random.default_rng([SEED, k])
    of_class = [np.flatnonzero(data.train.labels == c) for c in range(classes)]
    chosen = np.concatenate([rng.choice(places, most, replace=False) for places in of_class])
    mean, spread = pool[chosen].mean(0), pool[chosen].std(0) + 1e-6
    for key, features in (("x", pool[chosen]), ("val", val), ("test", test)):
        drawn[key].append((features - mean) / spread)
    drawn["y"].append(data.train.labels[chosen])
drawn = {key: np.stack(arrays, 1) for key, arrays in drawn.items()}
print({key: array.shape for key, array in drawn.items()})

# %% [markdown] lang="en"
# As in 11a all networks train **side by side**: one layer holds a matrix for each, and the loss is the sum of their
# losses. All these optimizers work weight by weight, so each network learns as if it were alone.

# %% [markdown] lang="es"
# Como en la 11a, todas las redes se entrenan **a la vez**: una capa guarda una matriz por red, y la pérdida es la suma
# de las suyas. Todos estos optimizadores trabajan peso a peso, así que cada red aprende como si estuviera sola.


# %% framework="pytorch"
class SideBySide(nn.Module):
    """A linear layer of each of several networks: `(batch, networks, inputs)` to `(batch, networks, outputs)`."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter((2 / inputs) ** 0.5 * torch.randn(NETWORKS, inputs, outputs))  # He's spread
        self.bias = nn.Parameter(torch.zeros(NETWORKS, outputs))

    def forward(self, x):
        return torch.einsum("bki,kio->bko", x, self.weight) + self.bias


def build(dropout=0.0):
    """`NETWORKS` networks of one hidden layer, and a copy of their first weights."""
    torch.manual_seed(SEED)
    hidden = SideBySide(pool.shape[1], 64), nn.ReLU(), nn.Dropout(dropout)
    model = nn.Sequential(*hidden, SideBySide(64, classes)).to(device)
    return model, copy.deepcopy(model.state_dict())


# %% framework="tensorflow"
def side_by_side(x, outputs):
    """A linear layer of each of several networks: `(batch, networks, inputs)` to `(batch, networks, outputs)`."""
    he = keras.initializers.RandomNormal(stddev=(2 / x.shape[-1]) ** 0.5)
    return layers.EinsumDense("bki,kio->bko", (NETWORKS, outputs), bias_axes="ko", kernel_initializer=he)(x)


def build(dropout=0.0):
    """`NETWORKS` networks of one hidden layer, and a copy of their first weights."""
    keras.utils.set_random_seed(SEED)
    inputs = keras.Input((NETWORKS, pool.shape[1]))
    hidden = layers.Dropout(dropout)(layers.ReLU()(side_by_side(inputs, 64)))
    model = keras.Model(inputs, side_by_side(hidden, classes))
    return model, model.get_weights()


# %% framework="pytorch"
def make_step(model, name, l2=0.0, smoothing=0.0, **options):
    """An optimizer, and a function that takes one step: x `(batch, networks, features)`, targets likewise."""
    optimizer = OPTIMIZERS[name](model.parameters(), **options)

    def step(x, targets):
        model.train()
        x, targets = (torch.from_numpy(array).to(device) for array in (x, targets))
        logits = model(x).flatten(0, 1)
        loss = F.cross_entropy(logits, targets.flatten(0, 1), reduction="sum", label_smoothing=smoothing) / len(x)
        loss = loss + l2 / 2 * sum(weight.square().sum() for weight in model.parameters())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return optimizer, step


# %% framework="tensorflow"
def make_step(model, name, l2=0.0, smoothing=0.0, **options):
    """An optimizer, and a function that takes one step: x `(batch, networks, features)`, targets likewise."""
    optimizer = OPTIMIZERS[name](**options)
    loss_of = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing, reduction="sum")

    @tf.function  # Python runs once; TensorFlow keeps the operations, and they run from then on
    def step(x, targets):
        with tf.GradientTape() as tape:
            loss = loss_of(targets, model(x, training=True)) / len(x)
            loss += l2 / 2 * sum(tf.reduce_sum(weight**2) for weight in model.trainable_variables)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    return optimizer, step


# %% framework="pytorch"
def restart(model, first, optimizer):
    """First weights, and an optimizer that remembers nothing."""
    model.load_state_dict(first)
    optimizer.state.clear()


def logits_of(model, part):
    """`(images, networks, classes)`, as in use."""
    model.eval()
    with torch.inference_mode():
        return model(torch.from_numpy(drawn[part]).to(device)).cpu().numpy()


# %% framework="tensorflow"
def restart(model, first, optimizer):
    """First weights, and an optimizer that remembers nothing."""
    model.set_weights(first)
    for variable in optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))


def logits_of(model, part):
    """`(images, networks, classes)`, as in use."""
    return keras.ops.convert_to_numpy(model(drawn[part], training=False))


# %% [markdown] lang="en"
# `train` takes `STEPS` steps, each with 32 images of each network's own. As a rule the rate falls to zero along a
# cosine; section 5 compares that with other plans.

# %% [markdown] lang="es"
# `train` da `STEPS` pasos, cada uno con 32 imágenes propias de cada red. Por lo general, la tasa baja hasta cero
# siguiendo un coseno; la sección 5 lo compara con otros planes.


# %%
def cosine(progress):
    return (1 + np.cos(np.pi * progress)) / 2


def train(optimizer, step, lr, plan=cosine, steps=STEPS, mixup=0.0, y=drawn["y"], watch=lambda k: None):
    rng, each, one_hot = np.random.default_rng(SEED), np.arange(NETWORKS), np.eye(classes, dtype="float32")
    for k in range(steps):
        set_rate(optimizer, lr * plan(k / steps))
        batch = rng.integers(len(y), size=(32, NETWORKS))
        x, targets = drawn["x"][batch, each], one_hot[y[batch, each]]
        if mixup:  # section 7
            share, order = np.float32(rng.beta(mixup, mixup)), rng.permutation(32)
            x, targets = (share * array + (1 - share) * array[order] for array in (x, targets))
        step(x, targets)
        watch(k)


# %%
def try_rates(rates, name="Adam", plan=cosine, steps=STEPS, mixup=0.0, dropout=0.0, l2=0.0, smoothing=0.0, **options):
    """For each rate the logits on validation and test images."""
    (model, first), runs = build(dropout), {}
    optimizer, step = make_step(model, name, l2, smoothing, **options)
    for lr in rates:
        restart(model, first, optimizer)
        train(optimizer, step, lr, plan, steps, mixup)
        runs[lr] = {part: logits_of(model, part) for part in labels}
    return runs


def right(logits, part):
    """Which answers are right, `(networks, images)`."""
    return (logits.argmax(2) == labels[part][:, None]).T


def best_rate(runs):
    return max(runs, key=lambda lr: right(runs[lr]["val"], "val").mean())


# %% tags=["folded"]
def plot_lines(lines, xlabel, ax=None):
    """Validation accuracy, one line a name: dictionaries of logits by what stands on the axis."""
    ax = plots.new_axes(ax)
    for k, (name, runs) in enumerate(lines.items()):
        shares = 100 * np.array([right(run["val"], "val").mean() for run in runs.values()])
        look = {"color": plots.COLOURS[k], "marker": plots.MARKERS[k], "linestyle": plots.LINES[k]}
        ax.plot(list(runs), shares, label=name, **look)
    ax.set(xscale="log", xlabel=xlabel, ylabel=words["val_accuracy"])
    plots.tidy(ax)
    ax.legend(frameon=False, fontsize=8)
    return ax


# %%
lowest = {"SGD": -2, "Momentum": -3, "Adagrad": -3, "RMSProp": -4, "Adam": -3.5}  # powers of ten; six rates from there
tuned = {name: try_rates(10.0 ** (lowest[name] + np.arange(6) / 2), name) for name in NAMES}
ax = plot_lines(tuned, words["rate"])
best = {name: best_rate(tuned[name]) for name in NAMES}
on_test = {name: right(tuned[name][best[name]]["test"], "test") for name in NAMES}
for name in NAMES:
    difference = metrics.paired_difference(on_test["Adam"], on_test[name])
    verdict = metrics.describe_difference(difference, LANGUAGE) if name != "Adam" else ""
    print(f"{name:>8} {best[name]:.4f}: {percent(on_test[name].mean())} {verdict}")
claim("tuned_optimizers_are_close", 100 * np.ptp([answers.mean() for answers in on_test.values()]))
same = [right(min(tuned[name].items(), key=lambda run: abs(np.log(run[0] / 0.01)))[1]["val"], "val") for name in NAMES]
claim("one_rate_for_all_is_unfair", 100 * np.ptp([answers.mean() for answers in same]))

# %% [markdown] lang="en"
# *Validation accuracy for each rate, mean of the networks. The lines below compare each with Adam on the test images,
# both at the rate that validation chose.*
#
# The peaks are about equally high; they stand at different rates. Whoever takes 0.01 for all finds one optimizer far
# ahead of another, and has only measured which of them that rate suits. What is left depends on constants that hardly
# anybody tunes: PyTorch's RMSProp ends two or three points ahead of Adam, Keras's does not, and with an $\varepsilon$
# as large as Keras's PyTorch's lead is halved. (Choi et al. 2019 say of large networks: with enough tuning the more
# general optimizer is never worse.) Adam's merit is that much the same rate suits many problems.
#
# ## 3. Weight decay is no L2 penalty
#
# Large weights let the output of a network change abruptly. Two ways to keep them small are often taken for the same
# thing.
#
# - **L2 penalty**: add $\frac{\lambda}{2} w^2$ to the loss. Then $\lambda w$ joins the gradient:
#   $g_t \to g_t + \lambda w_t$.
# - **Decoupled [weight decay](../../docs/glossary.md#weight-decay)**: leave the gradient alone, and shrink the weights
#   in each step: $w_t \to (1 - \eta\lambda)\, w_t$.
#
# With plain SGD both are the same: put $g_t + \lambda w_t$ into the step, and you get
# $(1-\eta\lambda) w_t - \eta g_t$. And with Adam, which divides what comes in by its usual size? We take weights that
# start at 1, give them gradients of pure noise, small for some and large for others, and see what is left of them.

# %% [markdown] lang="es"
# *Exactitud de validación con cada tasa, media de las redes. Las líneas siguientes comparan cada uno con Adam en las
# imágenes de prueba, ambos con la tasa que eligió la validación.*
#
# Las cimas son más o menos igual de altas; están en tasas distintas. Quien use 0.01 para todos encontrará que un
# optimizador va muy por delante de otro, pero solo habrá medido a cuál le conviene esa tasa. Lo que queda depende de
# constantes que casi nadie ajusta: RMSProp de PyTorch acaba dos o tres puntos por delante de Adam, el de Keras no, y
# con una $\varepsilon$ tan grande como la de Keras la ventaja del de PyTorch se reduce a la mitad. (Choi et al. 2019
# dicen de redes grandes: con suficiente ajuste, el optimizador más general nunca es peor). El mérito de Adam es que
# casi la misma tasa sirve para muchos problemas.
#
# ## 3. El decaimiento de pesos no es una penalización L2
#
# Los pesos grandes permiten que la salida de una red cambie con brusquedad. Hay dos maneras de mantenerlos pequeños
# que a menudo se toman por la misma.
#
# - **Penalización L2**: sumar $\frac{\lambda}{2} w^2$ a la pérdida. Entonces $\lambda w$ se une al gradiente:
#   $g_t \to g_t + \lambda w_t$.
# - **[Decaimiento de pesos](../../docs/glosario.md#decaimiento-de-pesos) desacoplado**: no tocar el gradiente y encoger
#   los pesos en cada paso: $w_t \to (1 - \eta\lambda)\, w_t$.
#
# Con SGD simple son lo mismo: ponga $g_t + \lambda w_t$ en el paso y obtendrá $(1-\eta\lambda) w_t - \eta g_t$. ¿Y
# con Adam, que divide lo que recibe entre su tamaño habitual? Tomamos unos pesos que empiezan en 1, les damos
# gradientes de puro ruido, pequeños a unos y grandes a otros, y miramos qué queda de ellos.

# %%
noise_sizes = np.array([0.01, 0.1, 1.0, 10.0])
rng = np.random.default_rng(SEED)
noise = rng.standard_normal((300, 800)) * np.repeat(noise_sizes, 200)
left = {}
for way, name, strength in (("l2", "Adam", {"l2": 0.1}), ("decoupled", "AdamW", {"weight_decay": 0.1})):
    steps = iter(noise)
    left[way] = follow(name, lambda w: next(steps), np.ones(800), 300, lr=0.01, **strength)[-1].reshape(4, 200).mean(1)
ax = plots.new_axes(None, 5, 2.6)
for k, way in enumerate(left):
    ax.plot(
        noise_sizes, 100 * left[way], plots.LINES[k], color=plots.COLOURS[k], marker=plots.MARKERS[k], label=words[way]
    )
ax.set(xscale="log", xlabel=words["noise_size"], ylabel=words["left"], ylim=(0, 105))
plots.tidy(ax)
ax.legend(frameon=False)
claim("l2_spares_the_loud", np.ptp(left["l2"]))

# %% [markdown] lang="en"
# *What is left of weights after 300 steps of Adam with gradients of pure noise. The strength is the same everywhere;
# only the size of the noise differs.*
#
# With L2, $\lambda w$ is divided too: weights with loud gradients are hardly decayed. That is why AdamW exists. But
# is it better on our task? We try both, over a wide range of strengths, at Adam's best rate.

# %% [markdown] lang="es"
# *Lo que queda de los pesos tras 300 pasos de Adam con gradientes de puro ruido. La intensidad es la misma en todas
# partes; solo cambia el tamaño del ruido.*
#
# Con L2 también se divide $\lambda w$: los pesos con gradientes fuertes apenas decaen. Por eso existe AdamW. Pero ¿es
# mejor en nuestra tarea? Probamos las dos, con un intervalo amplio de intensidades y la mejor tasa de Adam.

# %%
strengths = {"l2": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3), "decoupled": (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)}
decayed = {"l2": {}, "decoupled": {}}
for way, name, option in (("l2", "Adam", "l2"), ("decoupled", "AdamW", "weight_decay")):
    for strength in strengths[way]:
        decayed[way][strength] = try_rates((best["Adam"],), name, **{option: strength})[best["Adam"]]
ax = plot_lines({words[way]: runs for way, runs in decayed.items()}, words["strength"])
plain = tuned["Adam"][best["Adam"]]
line = ax.axhline(100 * right(plain["val"], "val").mean(), color="#666666", linewidth=1, linestyle=":")
chosen = {way: best_rate(decayed[way]) for way in decayed}  # the strength that validation likes best
for way in decayed:
    difference = metrics.paired_difference(on_test["Adam"], right(decayed[way][chosen[way]]["test"], "test"))
    print(f"{words[way]}, λ = {chosen[way]:g}: {metrics.describe_difference(difference, LANGUAGE)}")
better = max(decayed, key=lambda way: right(decayed[way][chosen[way]]["val"], "val").mean())
rivals = [right(decayed[way][chosen[way]]["test"], "test") for way in ("l2", "decoupled")]
claim("l2_and_decay_are_close_here", 100 * abs(metrics.paired_difference(*rivals).value))

# %% [markdown] lang="en"
# *Validation accuracy over the strength λ; the dotted line is Adam without decay. The lines below compare with it on
# the test images.*
#
# Both help, and by about as much: that L2 with Adam spares some weights does not make it worse on every task. They
# differ in use. AdamW's strengths are larger, since each step shrinks by $\eta\lambda$. And its best strength depends
# less on the learning rate, so that the two can be tuned one after the other (Loshchilov and Hutter 2019).
#
# Usually only the matrices are decayed. A bias makes no change more abrupt, and BatchNorm's $\gamma$ and $\beta$ are
# few.
#
# **Your turn (2).** Make an AdamW with a rate of 0.01 and a decay of 0.1 for the matrices of `net`, and none for biases
# and BatchNorm.

# %% [markdown] lang="es"
# *Exactitud de validación según la intensidad λ; la línea de puntos es Adam sin decaimiento. Las líneas siguientes
# comparan con él en las imágenes de prueba.*
#
# Las dos ayudan, y más o menos lo mismo: que L2 con Adam perdone a algunos pesos no la hace peor en todas las tareas.
# La diferencia está en el uso. Las intensidades de AdamW son mayores, porque cada paso encoge en $\eta\lambda$. Y su
# mejor intensidad depende menos de la tasa de aprendizaje, así que se pueden ajustar una después de la otra (Loshchilov
# y Hutter 2019).
#
# Por lo general solo se hacen decaer las matrices. Un sesgo no hace más brusco ningún cambio, y la $\gamma$ y la
# $\beta$ de BatchNorm son pocas.
#
# **Le toca a usted (2).** Cree un AdamW con una tasa de 0.01 y un decaimiento de 0.1 para las matrices de `net`, y
# ninguno para los sesgos y BatchNorm.


# %% framework="pytorch" tags=["folded"]
def check_decay(make_adamw):
    net = nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))
    for parameter in net.parameters():
        nn.init.ones_(parameter)
        parameter.grad = torch.zeros_like(parameter)  # nothing to learn: what moves is decayed
    optimizer = make_adamw(net)
    if not isinstance(optimizer, optim.Optimizer):
        print("✘", words["no_optimizer"])
        return
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    optimizer.step()
    moved = {name: 1 - parameter.mean().item() for name, parameter in net.named_parameters()}
    matrices = [moved.pop(name) for name, parameter in net.named_parameters() if parameter.ndim > 1]
    if len(held) < len(list(net.parameters())):
        print("✘", words["not_held"])
    elif max(moved.values()) > 1e-6:
        print("✘", words["decays_too"], *(name for name, shift in moved.items() if shift > 1e-6))
    elif min(matrices) > 0.005:
        print("✘", words["coupled"])
    elif any(abs(shift - 0.001) > 1e-5 for shift in matrices):
        print("✘", words["decay_size"], *(f"{shift:.5f}" for shift in matrices))
    else:
        print("✔", words["right"])


# %% framework="tensorflow" tags=["folded"]
def check_decay(make_adamw):
    net = keras.Sequential([keras.Input((8,)), layers.Dense(6), layers.BatchNormalization(), layers.Dense(3)])
    optimizer = make_adamw(net)
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        print("✘", words["no_optimizer"])
        return
    weights = net.trainable_variables
    for weight in weights:
        weight.assign(keras.ops.ones_like(weight))
    optimizer.apply([keras.ops.zeros_like(weight) for weight in weights], weights)  # what moves is decayed
    moved = {weight.path: 1 - float(keras.ops.mean(weight)) for weight in weights}
    matrices = [moved.pop(weight.path) for weight in weights if len(weight.shape) > 1]
    if max(moved.values()) > 1e-6:
        print("✘", words["decays_too"], *(path for path, shift in moved.items() if shift > 1e-6))
    elif any(abs(shift - 0.001) > 1e-5 for shift in matrices):
        print("✘", words["decay_size"], *(f"{shift:.5f}" for shift in matrices))
    else:
        print("✔", words["right"])


# %% framework="pytorch"
def make_adamw(net):
    """An optimizer of all weights of `net`, with decay for the matrices alone."""
    # write here


check_decay(make_adamw)


# %% framework="tensorflow"
def make_adamw(net):
    """An optimizer for `net`, with decay for the matrices alone; they are called `kernel`."""
    # write here


check_decay(make_adamw)


# %% framework="pytorch" tags=["solution"]
def make_adamw(net):
    matrices = [parameter for parameter in net.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in net.parameters() if parameter.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    return optim.AdamW(groups, lr=0.01)


check_decay(make_adamw)


# %% framework="tensorflow" tags=["solution"]
def make_adamw(net):
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


check_decay(make_adamw)

# %% [markdown] lang="en"
# ## 4. Gradient clipping
#
# One broken image can give a huge gradient, and one huge step can undo hours.
# [Clipping](../../docs/glossary.md#gradient-clipping) limits it, in one of two ways:
#
# - **by norm**: if the gradient is longer than $c$, it is shortened to length $c$:
#   $g \to g \cdot \min(1, c / \lVert g \rVert)$;
# - **by value**: each entry is cut to the range from $-c$ to $c$.
#
# Here $g$ is the whole gradient, $\lVert g \rVert$ its length (the root of the sum of its squared entries), and $c$ the
# limit. Which of the two keeps the direction?

# %% [markdown] lang="es"
# ## 4. Recorte del gradiente
#
# Una sola imagen estropeada puede dar un gradiente enorme, y un solo paso enorme puede deshacer horas de trabajo. El
# [recorte](../../docs/glosario.md#recorte-del-gradiente) lo limita, de una de estas dos maneras:
#
# - **por norma**: si el gradiente mide más que $c$, se acorta hasta medir $c$:
#   $g \to g \cdot \min(1, c / \lVert g \rVert)$;
# - **por valor**: cada componente se recorta al intervalo de $-c$ a $c$.
#
# Aquí $g$ es el gradiente entero, $\lVert g \rVert$ su longitud (la raíz de la suma de sus componentes al cuadrado) y
# $c$ el límite. ¿Cuál de las dos conserva la dirección?

# %% framework="pytorch"
weight, gradient = torch.zeros(2), torch.tensor([0.6, 3.0])
weight.grad = gradient.clone()
nn.utils.clip_grad_norm_([weight], max_norm=1.0)  # between backward() and step()
by_norm = weight.grad.numpy().copy()
weight.grad = gradient.clone()
nn.utils.clip_grad_value_([weight], clip_value=1.0)
print("whole", gradient.numpy(), "by norm", by_norm, "by value", weight.grad.numpy())

# %% framework="tensorflow"
gradient = tf.constant([0.6, 3.0])
(by_norm,), _ = tf.clip_by_global_norm([gradient], 1.0)  # in an optimizer: global_clipnorm=1.0
by_value = tf.clip_by_value(gradient, -1.0, 1.0)  # in an optimizer: clipvalue=1.0
print("whole", gradient.numpy(), "by norm", by_norm.numpy(), "by value", by_value.numpy())

# %% [markdown] lang="en"
# By norm the two entries keep their ratio of 1 to 5; by value they do not. So clip by norm, unless there is a reason.
#
# How bad is one broken image? We train with plain SGD to the end, and then take one more step at the same rate. One
# image of its batch was read from a broken file: noise, a hundred times as large as features are.

# %% [markdown] lang="es"
# Por norma, los dos componentes conservan su proporción de 1 a 5; por valor, no. Así que recorte por norma, salvo que
# haya una razón para lo contrario.
#
# ¿Cuánto daño hace una imagen estropeada? Entrenamos con SGD simple hasta el final y damos un paso más con la misma
# tasa. Una imagen de su lote se leyó de un archivo roto: es ruido, cien veces mayor que las características.

# %% framework="pytorch"
model, first = build()
optimizer, step = make_step(model, "SGD")
train(optimizer, step, best["SGD"])
trained, accuracy = copy.deepcopy(model.state_dict()), {"before": right(logits_of(model, "test"), "test").mean()}
x, y = (torch.tensor(drawn[key][:32], device=device) for key in "xy")  # copies: `from_numpy` would share the memory
x[0] = 100 * torch.randn_like(x[0])
for way, limit in (("clipped", 1.0), ("unclipped", float("inf"))):
    model.load_state_dict(trained)
    optimizer = optim.SGD(model.parameters(), lr=best["SGD"])
    F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum").div(32).backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm=limit)
    optimizer.step()
    optimizer.zero_grad()
    accuracy[way] = right(logits_of(model, "test"), "test").mean()

# %% framework="tensorflow"
model, first = build()
optimizer, step = make_step(model, "SGD")
train(optimizer, step, best["SGD"])
trained, accuracy = model.get_weights(), {"before": right(logits_of(model, "test"), "test").mean()}
x, y = drawn["x"][:32].copy(), drawn["y"][:32]
x[0] = 100 * np.random.default_rng(SEED).standard_normal(x[0].shape)
for way, limit in (("clipped", 1.0), ("unclipped", None)):
    model.set_weights(trained)
    with tf.GradientTape() as tape:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")(y, model(x)) / 32
    gradients = tape.gradient(loss, model.trainable_variables)
    norm = tf.linalg.global_norm(gradients)
    keras.optimizers.SGD(best["SGD"], global_clipnorm=limit).apply(gradients, model.trainable_variables)
    accuracy[way] = right(logits_of(model, "test"), "test").mean()

# %%
print(f"{words['norm']}: {float(norm):.0f}", {words[way]: percent(share) for way, share in accuracy.items()})
claim("one_step_undoes_a_training", 100 * (accuracy["before"] - accuracy["unclipped"]))
claim("clipping_prevents_it", 100 * (accuracy["before"] - accuracy["clipped"]))

# %% [markdown] lang="en"
# The limit of 1 is one for all networks together, since they share a step. Typical values lie between 0.1 and 10; look
# at the norms of a healthy training, and take a little more than the largest.
#
# ## 5. Schedules
#
# A [schedule](../../docs/glossary.md#schedule) changes the learning rate during training. Large steps first, to get on;
# small ones at the end, so that noise settles. [Warm-up](../../docs/glossary.md#warm-up) begins with small steps too.
#
# - **constant**: $\eta_t = \eta$
# - **step**: a tenth of it after half of the steps, a hundredth after three quarters
# - **cosine**: $\eta_t = \frac{\eta}{2}\left(1 + \cos \frac{\pi t}{T}\right)$
# - **warm-up**: for the first $T_w$ steps the rate rises in a straight line from 0 to $\eta$
#
# Here $\eta_t$ is the rate at step $t$, $\eta$ the highest one, $T$ the number of steps, and $T_w$ that of the warm-up.
#
# **Your turn (3).** Write a schedule in {Framework}: warm-up for `warmup` steps, then a cosine that reaches zero at
# step `steps`.

# %% [markdown] lang="es"
# El límite de 1 vale para todas las redes juntas, porque comparten el paso. Los valores habituales están entre 0.1 y
# 10; mire las normas de un entrenamiento sano y tome algo más que la mayor.
#
# ## 5. Planes de la tasa
#
# Un [plan de la tasa](../../docs/glosario.md#plan-de-la-tasa) (*schedule*) cambia la tasa de aprendizaje durante el
# entrenamiento. Primero pasos grandes, para avanzar; al final pequeños, para que el ruido se asiente. El
# [calentamiento](../../docs/glosario.md#calentamiento) empieza también con pasos pequeños.
#
# - **constante**: $\eta_t = \eta$
# - **escalonado**: una décima parte tras la mitad de los pasos, una centésima tras tres cuartos
# - **coseno**: $\eta_t = \frac{\eta}{2}\left(1 + \cos \frac{\pi t}{T}\right)$
# - **calentamiento**: en los primeros $T_w$ pasos, la tasa sube en línea recta de 0 a $\eta$
#
# Aquí $\eta_t$ es la tasa en el paso $t$, $\eta$ la más alta, $T$ el número de pasos y $T_w$ el de pasos de
# calentamiento.
#
# **Le toca a usted (3).** Escriba un plan en {Framework}: calentamiento durante `warmup` pasos y después un coseno
# que llega a cero en el paso `steps`.


# %% framework="pytorch" tags=["folded"]
def check_schedule(make_schedule):
    optimizer = optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule, rates = make_schedule(optimizer, steps=120, warmup=20), []
    if not hasattr(schedule, "step"):
        print("✘", words["no_schedule"])
        return
    for _ in range(120):
        rates.append(optimizer.param_groups[0]["lr"] / 0.5)
        optimizer.step()
        schedule.step()
    check_rates(np.array(rates))


# %% framework="tensorflow" tags=["folded"]
def check_schedule(make_schedule):
    schedule = make_schedule(0.5, steps=120, warmup=20)
    if not callable(schedule):
        print("✘", words["no_schedule"])
        return
    check_rates(np.array([float(schedule(step)) / 0.5 for step in range(120)]))


# %% tags=["folded"]
def check_rates(rates):
    """Says what is wrong with the rates of 120 steps, as parts of the highest one; 20 of them are a warm-up."""
    if rates[0] > 0.3:
        key = "no_warmup"
    elif abs(rates[19:22].max() - 1) > 0.03 or abs(rates[10] - 0.5) > 0.08:
        key = "warmup_shape"
    elif rates[-1] > 0.02 or rates[100] < 0.03:
        key = "end_of_cosine"
    elif abs(rates[45] - 0.854) > 0.04 or abs(rates[70] - 0.5) > 0.04:
        key = "not_cosine"
    else:
        key = "right"
    print("✔" if key == "right" else "✘", words[key])


# %% framework="pytorch"
def make_schedule(optimizer, steps, warmup):
    """A schedule of `optim.lr_scheduler`; its `step()` is called after each of the optimizer's."""
    # write here


check_schedule(make_schedule)


# %% framework="tensorflow"
def make_schedule(lr, steps, warmup):
    """A schedule of `keras.optimizers.schedules`, to be given to an optimizer as its rate; `lr` is the highest."""
    # write here


check_schedule(make_schedule)


# %% framework="pytorch" tags=["solution"]
def make_schedule(optimizer, steps, warmup):
    rise = optim.lr_scheduler.LinearLR(optimizer, start_factor=0.01, total_iters=warmup)
    fall = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps - warmup)
    return optim.lr_scheduler.SequentialLR(optimizer, [rise, fall], milestones=[warmup])


check_schedule(make_schedule)


# %% framework="tensorflow" tags=["solution"]
def make_schedule(lr, steps, warmup):
    return keras.optimizers.schedules.CosineDecay(0.0, steps - warmup, warmup_target=lr, warmup_steps=warmup)


check_schedule(make_schedule)

# %% [markdown] lang="en"
# What do they bring? First a problem that is nothing but noise: find the minimum of $\frac12 w^2$ when every gradient
# has a random error. Then our networks, trained with Momentum, each plan at its own best of four rates.

# %% [markdown] lang="es"
# ¿Qué aportan? Primero, un problema que es puro ruido: hallar el mínimo de $\frac12 w^2$ cuando cada gradiente trae un
# error al azar. Después, nuestras redes, entrenadas con Momentum, cada plan con la mejor de cuatro tasas.

# %%
PLANS = {
    "constant": lambda progress: 1.0,
    "stepwise": lambda progress: 1.0 if progress < 0.5 else 0.1 if progress < 0.75 else 0.01,
    "cosine": cosine,
    "warmup": lambda progress: min(1.0, progress / 0.2) * cosine(progress),
}
bowls, planned = {}, {}
for name, plan in PLANS.items():
    steps = iter(np.random.default_rng(SEED).standard_normal((200, 400)))
    path = follow("SGD", lambda w: w + next(steps), np.full(400, 5.0), 200, 0.3, plan)
    bowls[name] = (path**2).mean(1) / 2
    planned[name] = try_rates((0.01, 0.03, 0.1, 0.3), "Momentum", plan)

# %%
figure, axes = plots.plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for k, name in enumerate(PLANS):
    look = {
        "color": plots.COLOURS[k],
        "linestyle": plots.LINES[k],
        "marker": plots.MARKERS[k],
        "markevery": (6 * k, 25),
    }
    axes[0].plot(bowls[name], label=words[name], **look)
axes[0].set(yscale="log", xlabel=words["step"], ylabel=words["bowl_loss"])
plots.tidy(axes[0])
plot_lines({words[name]: runs for name, runs in planned.items()}, words["rate"], axes[1])
judged = {name: right(runs[best_rate(runs)]["test"], "test") for name, runs in planned.items()}
for name in PLANS:
    print(f"{words[name]:>22}: {percent(judged[name].mean())}")
claim("falling_rates_settle_noise", bowls["constant"][-1] / max(bowls["stepwise"][-1], bowls["cosine"][-1]))
claim("schedules_change_little_here", 100 * np.ptp([answers.mean() for answers in judged.values()]))

# %% [markdown] lang="en"
# *Left: mean loss of 400 noisy bowls. Right: validation accuracy of our networks; above, on the test images, each plan
# at its best rate.*
#
# In the bowl a constant rate stops getting better: its noise never settles. Our networks know their few images by heart
# after a hundred steps, so there is hardly any noise to settle, and the plans lie close. Warm-up became known with huge
# batches and with transformers, which may diverge without it; ours do not. A medicine shows no effect on the healthy.
#
# ## 6. When to stop: by which number?
#
# [Early stopping](../../docs/glossary.md#early-stopping) keeps the weights of the best moment on the validation images.
# Best by the loss, or by the accuracy? To see a difference we spoil three labels in ten: real collections have wrong
# labels too. We look every ten steps, at a constant rate.

# %% [markdown] lang="es"
# *Izquierda: pérdida media de 400 cuencos con ruido. Derecha: exactitud de validación de nuestras redes; arriba, en las
# imágenes de prueba, cada plan con su mejor tasa.*
#
# En el cuenco, con una tasa constante la pérdida deja de bajar: su ruido nunca se asienta. Nuestras redes se saben de
# memoria sus pocas imágenes tras unos cien pasos, así que apenas hay ruido que asentar y los planes quedan cerca. El
# calentamiento se hizo conocido con lotes enormes y con los *transformers*, que pueden divergir sin él; nuestras
# redes no divergen. A quien está sano, la medicina no le hace efecto.
#
# ## 6. Cuándo parar: ¿según qué número?
#
# La [parada temprana](../../docs/glosario.md#parada-temprana) conserva los pesos del mejor momento en las imágenes de
# validación. ¿El mejor según la pérdida o según la exactitud? Para ver una diferencia estropeamos tres etiquetas de
# cada diez: en las colecciones reales también hay etiquetas erróneas. Miramos cada diez pasos, con una tasa constante.


# %%
def loss_of(logits, part):
    """Cross-entropy on validation or test images, one number a network."""
    shifted = logits - logits.max(2, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(2, keepdims=True))
    return -log_p[np.arange(len(log_p)), :, labels[part]].mean(0)


rng = np.random.default_rng(SEED)
wrong = rng.random(drawn["y"].shape) < 0.3
spoiled = np.where(wrong, rng.integers(0, classes, wrong.shape), drawn["y"])
(model, first), seen = build(), []
optimizer, step = make_step(model, "Adam")


def look(k):
    if k % 10 == 9:
        seen.append({part: logits_of(model, part) for part in labels})


train(optimizer, step, 0.003, PLANS["constant"], 2 * STEPS, y=spoiled, watch=look)
val_loss = np.stack([loss_of(moment["val"], "val") for moment in seen])  # (moments, networks)
val_accuracy = np.stack([right(moment["val"], "val").mean(1) for moment in seen])

# %%
stops = {
    "by_loss": val_loss.argmin(0),
    "by_accuracy": val_accuracy.argmax(0),
    "at_the_end": np.full(NETWORKS, len(seen) - 1),
}
figure, axes = plots.plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
for ax, curve, label in zip(axes, (val_loss, 100 * val_accuracy), ("val_loss", "val_accuracy")):
    ax.plot(10 * np.arange(1, len(seen) + 1), curve.mean(1), color=plots.COLOURS[0])
    for k, way in enumerate(("by_loss", "by_accuracy")):
        at = 10 * (np.median(stops[way]) + 1)
        ax.axvline(at, color=plots.COLOURS[1 + k], linestyle=plots.LINES[1 + k], label=words[way])
    ax.set(xlabel=words["step"], ylabel=words[label])
    plots.tidy(ax)
axes[1].legend(frameon=False)
kept = {way: np.stack([seen[i]["test"][:, k] for k, i in enumerate(at)], 1) for way, at in stops.items()}
for way, logits in kept.items():
    print(f"{words[way]:>14}: {percent(right(logits, 'test').mean())}  {loss_of(logits, 'test').mean():.2f} nats")
by_what = metrics.paired_difference(right(kept["by_loss"], "test"), right(kept["by_accuracy"], "test"))
print(words["accuracy_against_loss"], metrics.describe_difference(by_what, LANGUAGE))
claim("the_loss_stops_earlier", 10 * (np.median(stops["by_accuracy"]) - np.median(stops["by_loss"])))

# %% [markdown] lang="en"
# *Validation loss and accuracy with three labels in ten spoiled, mean of the networks. The lines mark where half of the
# networks would have stopped. Above: what the kept weights do on the test images, accuracy and cross-entropy.* (A nat
# is its unit where the logarithm is the natural one.)

# %% [markdown] lang="es"
# *Pérdida y exactitud de validación con tres de cada diez etiquetas estropeadas, media de las redes. Las líneas marcan
# dónde habría parado la mitad de las redes. Arriba: lo que hacen los pesos conservados con las imágenes de prueba,
# exactitud y entropía cruzada.* (El nat es su unidad cuando el logaritmo es el natural).

# %% [markdown] lang="en"
# The loss punishes being *sure and wrong*; accuracy does not. So the loss turns first. Which is right depends on what
# you need: probabilities that can be trusted, or right answers. The course's `fit` stops by the loss.
#
# ## 7. Averages, and tricks with labels
#
# **Averages.** Three things can be averaged:
#
# - the **weights of one network over its last steps**: SWA takes their mean, EMA a moving one,
#   $\bar w_t = \alpha \bar w_{t-1} + (1-\alpha) w_t$ with $\alpha$ such as 0.98 ([weight
#   averaging](../../docs/glossary.md#weight-averaging));
# - the **predictions of several networks**: an [ensemble](../../docs/glossary.md#ensemble);
# - and what do you think of a third, the weights of several networks?
#
# EMA pays where steps stay noisy. So we take it at a constant rate of 0.1, far above Adam's best.

# %% [markdown] lang="es"
# La pérdida castiga estar *seguro y equivocado*; la exactitud, no. Por eso la pérdida da la vuelta antes. Cuál
# conviene depende de lo que usted necesite: probabilidades de las que fiarse o respuestas correctas. El `fit` del
# curso para según la pérdida.
#
# ## 7. Promedios, y trucos con las etiquetas
#
# **Promedios.** Se pueden promediar tres cosas:
#
# - los **pesos de una red en sus últimos pasos**: SWA toma su media; EMA, una media móvil,
#   $\bar w_t = \alpha \bar w_{t-1} + (1-\alpha) w_t$, con $\alpha$ por ejemplo 0.98 ([promedio de
#   pesos](../../docs/glosario.md#promedio-de-pesos));
# - las **predicciones de varias redes**: un [conjunto de modelos](../../docs/glosario.md#conjunto-de-modelos);
# - ¿y qué le parece una tercera, los pesos de varias redes?
#
# EMA merece la pena donde los pasos siguen siendo ruidosos. Por eso la usamos con una tasa constante de 0.1, muy por
# encima de la mejor de Adam.

# %% framework="pytorch"
averages = {}
model, first = build()
optimizer, step = make_step(model, "Adam")
ema = optim.swa_utils.AveragedModel(model, multi_avg_fn=optim.swa_utils.get_ema_multi_avg_fn(0.98))
train(optimizer, step, 0.1, PLANS["constant"], watch=lambda k: ema.update_parameters(model))
averages["last"], averages["ema"] = logits_of(model, "test"), logits_of(ema, "test")

mean_of_weights = {name: weight.mean(0, keepdim=True).expand_as(weight) for name, weight in model.state_dict().items()}
model.load_state_dict(mean_of_weights)
averages["mean_weights"] = logits_of(model, "test")[:, :1]

# %% framework="tensorflow"
averages = {}
model, first = build()
optimizer, step = make_step(model, "Adam", use_ema=True, ema_momentum=0.98)
train(optimizer, step, 0.1, PLANS["constant"])
averages["last"], last = logits_of(model, "test"), model.get_weights()
optimizer.finalize_variable_values(model.trainable_variables)  # puts the averages in the weights' place
averages["ema"] = logits_of(model, "test")

model.set_weights([np.broadcast_to(weight.mean(0, keepdims=True), weight.shape) for weight in last])
averages["mean_weights"] = logits_of(model, "test")[:, :1]


# %%
def probabilities(logits):
    return np.exp(logits - logits.max(2, keepdims=True)) / np.exp(logits - logits.max(2, keepdims=True)).sum(
        2, keepdims=True
    )


averages["ensemble"] = np.log(probabilities(averages["last"]).mean(1, keepdims=True) + 1e-30)
shares = {name: right(logits, "test") for name, logits in averages.items()}
for name in ("last", "ema", "ensemble", "mean_weights"):
    print(f"{words[name]:>30}: {percent(shares[name].mean())}  {loss_of(averages[name], 'test').mean():.2f} nats")
claim("ema_smooths_large_steps", 100 * metrics.paired_difference(shares["last"], shares["ema"]))
claim("averaged_strangers_fail", 100 * (shares["ensemble"].mean() - shares["mean_weights"].mean()))

# %% [markdown] lang="en"
# *On the test images, from a training at a constant rate of 0.1.*
#
# The average takes back part of what the noise cost. At a rate of 0.03 we could no longer see its effect. And a rate
# that falls does the same without it.
#
# The weights of strangers do not fit: neuron 7 of one network does another job than neuron 7 of the next. Their mean is
# not even as good as the last weights of a single one of them, and far below the ensemble. An ensemble's *loss* can
# never be above the mean loss of its members: $-\log p$ curves upwards (Jensen's inequality). In use it costs as many
# networks as it has members. (Ours has a further advantage: each member has learnt from images of its own.)
#
# **Labels and images.** Four more tricks belong to every modern recipe:
#
# | trick | what it does | known |
# | --- | --- | --- |
# | label smoothing | the right class gets 0.9, the others share 0.1 | helps large networks on ImageNet a little (Szegedy et al. 2016); makes them poorer teachers of smaller networks (Müller et al. 2019) |
# | mixup | two images and their labels are mixed, $x = \lambda x_1 + (1-\lambda) x_2$ | about a point on ImageNet, with long training (Zhang et al. 2018) |
# | augmentation: RandAugment, random erasing | colours, rotations, cuts beyond flips and shifts | much, where images are few and all of the network learns; changes the pixels, so features cannot be computed once |
# | mixed precision | 16-bit numbers where they suffice | faster on a GPU, the accuracy stays (Micikevicius et al. 2018; lesson 01 shows the line) |
#
# The first two are cheap enough to be measured here; mixup acts on the features.

# %% [markdown] lang="es"
# *En las imágenes de prueba, tras entrenar con una tasa constante de 0.1.*
#
# El promedio recupera una parte de lo que costó el ruido. Con una tasa de 0.03 ya no veíamos su efecto. Y una tasa que
# baja hace lo mismo sin él.
#
# Los pesos de redes ajenas no encajan: la neurona 7 de una no hace el mismo trabajo que la neurona 7 de la siguiente.
# Su media ni siquiera llega a los últimos pesos de una sola de ellas, y queda muy por debajo del conjunto de modelos.
# La *pérdida* de un conjunto de modelos nunca puede superar la pérdida media de sus miembros: $-\log p$ se curva hacia
# arriba (desigualdad de Jensen). En uso cuesta tantas redes como miembros tiene. (El nuestro tiene otra ventaja: cada
# miembro ha aprendido de sus propias imágenes).
#
# **Etiquetas e imágenes.** Otros cuatro trucos están en todas las recetas modernas:
#
# | truco | qué hace | qué se sabe |
# | --- | --- | --- |
# | suavizado de etiquetas (*label smoothing*) | la clase correcta recibe 0.9 y las demás se reparten 0.1 | ayuda un poco a redes grandes con ImageNet (Szegedy et al. 2016); las hace peores maestras de redes más pequeñas (Müller et al. 2019) |
# | *mixup* | mezcla dos imágenes y sus etiquetas, $x = \lambda x_1 + (1-\lambda) x_2$ | alrededor de un punto con ImageNet, con entrenamientos largos (Zhang et al. 2018) |
# | aumento de datos: RandAugment, borrado al azar | colores, giros y recortes, más allá de reflejos y desplazamientos | mucho, si hay pocas imágenes y aprende toda la red; cambia los píxeles, así que las características no se pueden calcular una sola vez |
# | precisión mixta | números de 16 bits donde bastan | más rápido en una GPU, sin perder exactitud (Micikevicius et al. 2018; la lección 01 muestra la línea) |
#
# Los dos primeros son lo bastante baratos para medirlos aquí; *mixup* actúa sobre las características.

# %% [markdown] lang="en"
# ## 8. Together, on the test images
#
# Which of the tricks helps with our true problem, few labels? Each is compared with plain Adam, at the same two rates
# to choose from and with the same steps; the validation images choose. One thing is not equal: section 3 tried six
# strengths of the decay, and the others have one strength each, the usual one. Twice the steps, since dropout and mixup
# learn more slowly. As a rival we add the linear probe: logistic regression on the same features.

# %% [markdown] lang="es"
# ## 8. Todo junto, con las imágenes de prueba
#
# ¿Cuál de los trucos ayuda con nuestro verdadero problema, las pocas etiquetas? Cada uno se compara con Adam sin
# trucos, con las mismas dos tasas entre las que elegir y los mismos pasos; eligen las imágenes de validación. Una cosa
# no es igual: la sección 3 probó seis intensidades del decaimiento, y los demás tienen una sola, la habitual. El doble
# de pasos, porque dropout y *mixup* aprenden más despacio. Como rival añadimos la sonda lineal: regresión logística con
# las mismas características.

# %%
decay = ("Adam", {"l2": chosen["l2"]}) if better == "l2" else ("AdamW", {"weight_decay": chosen["decoupled"]})
recipes = {
    "plain": ("Adam", {}),
    "smoothing": ("Adam", {"smoothing": 0.1}),
    "mixup": ("Adam", {"mixup": 1.0}),
    "dropout": ("Adam", {"dropout": 0.5}),
    "decay": decay,
    "both": (decay[0], {**decay[1], "dropout": 0.5}),
}
results = {}
for recipe, (name, tricks) in recipes.items():
    runs = try_rates((best["Adam"] / 3, best["Adam"]), name, steps=2 * STEPS, **tricks)
    results[recipe] = runs[best_rate(runs)]["test"]

# %%
final = {recipe: right(logits, "test") for recipe, logits in results.items()}
final["probe"] = np.stack([
    metrics.linear_probe(drawn["x"][:, k], drawn["y"][:, k], drawn["test"][:, k]).argmax(1) == labels["test"]
    for k in range(NETWORKS)
])  # fmt: skip
estimates = {
    words[name]: metrics.accuracy_estimate(list(found.mean(1)), len(labels["test"])) for name, found in final.items()
}
ax = plots.plot_estimates(estimates, language=LANGUAGE)
for name in final:
    if name != "plain":
        difference = metrics.paired_difference(final["plain"], final[name])
        print(f"{words[name]:>26}: {metrics.describe_difference(difference, LANGUAGE)}")
others = [final[name].mean() - final["plain"].mean() for name in ("smoothing", "mixup")]
claim("smoothing_and_mixup_gain_nothing_here", 100 * max(others))
claim("decay_helps_on_test", 100 * metrics.paired_difference(final["plain"], final["decay"]))
claim("no_single_network_beats_the_probe", 100 * metrics.paired_difference(final["probe"], final["both"]))

# %% [markdown] lang="en"
# *Test accuracy with 95 % intervals; the lines compare each with plain Adam on the same images.*
#
# Decay and dropout help, and together hardly more than one of them: both mend the same defect, too much freedom for
# ten labels a class. Label smoothing and mixup gain nothing on these features, in so few steps, and may cost a few
# points; they were made for long trainings of large networks. And a linear probe, which has few weights to restrain,
# is a strong rival. Beat it before you believe in a trick.
#
# ## 9. On one page
#
# Plain networks, one at a time: AdamW with decay for the matrices alone, warm-up and cosine, clipping, dropout.

# %% [markdown] lang="es"
# *Exactitud en la prueba con intervalos del 95 %; las líneas comparan cada una con Adam sin trucos en las mismas
# imágenes.*
#
# El decaimiento y el dropout ayudan, y juntos apenas más que uno de ellos: los dos remedian el mismo defecto,
# demasiada libertad para diez etiquetas por clase. El suavizado de etiquetas y *mixup* no ganan nada con estas
# características y tan pocos pasos, y hasta pueden costar unos puntos; se idearon para entrenamientos largos de redes
# grandes. Y una sonda lineal, que tiene pocos pesos que frenar, es una rival fuerte. Gánele antes de creer en un
# truco.
#
# ## 9. En una página
#
# Redes corrientes, de una en una: AdamW con decaimiento solo para las matrices, calentamiento y coseno, recorte y
# dropout.

# %% framework="pytorch"
# %%writefile {folder}/one_page.py
import sys

import numpy as np
import torch
from torch import nn, optim
from torch.nn import functional as F

FILE, RATE, DECAY, STEPS = sys.argv[1], *map(float, sys.argv[2:4]), int(sys.argv[4])
data = {key: torch.from_numpy(array) for key, array in np.load(FILE).items()}
accuracies = []
for k in range(data["x"].shape[1]):  # several draws of training images
    torch.manual_seed(k)
    x, y, test = (data[key][:, k] for key in ("x", "y", "test"))
    model = nn.Sequential(nn.Linear(x.shape[1], 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, int(y.max()) + 1))
    nn.init.kaiming_normal_(model[0].weight, nonlinearity="relu")
    matrices, others = [model[0].weight, model[3].weight], [model[0].bias, model[3].bias]
    optimizer = optim.AdamW([{"params": matrices}, {"params": others, "weight_decay": 0.0}], RATE, weight_decay=DECAY)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS, pct_start=0.1, cycle_momentum=False)
    for _ in range(STEPS):
        batch = torch.randint(len(y), (32,))
        loss = F.cross_entropy(model(x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
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

FILE, RATE, DECAY, STEPS = sys.argv[1], *map(float, sys.argv[2:4]), int(sys.argv[4])
data, accuracies = np.load(FILE), []
for k in range(data["x"].shape[1]):  # several draws of training images
    keras.utils.set_random_seed(k)
    x, y, test = (data[key][:, k] for key in ("x", "y", "test"))
    model = keras.Sequential([
        keras.Input(x.shape[1:]),
        layers.Dense(64, "relu", kernel_initializer="he_normal"),
        layers.Dropout(0.5),
        layers.Dense(int(y.max()) + 1),
    ])  # fmt: skip
    warmup = STEPS // 10
    rate = keras.optimizers.schedules.CosineDecay(0.0, STEPS - warmup, warmup_target=RATE, warmup_steps=warmup)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=DECAY, global_clipnorm=1.0)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=False)
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
arguments = [folder / "features.npz", best["Adam"], chosen["decoupled"], 2 * STEPS]
command = [sys.executable, str(folder / "one_page.py"), *map(str, arguments)]
said = subprocess.run(command, capture_output=True, text=True)
print(said.stdout or said.stderr)
claim("script_agrees", 100 * abs(float(said.stdout.split()[1]) - final["decay"][:5].mean()))

# %% [markdown] lang="en"
# ## What you can do now
#
# - Adagrad divides by the root of a sum, RMSProp by the root of a running mean, Adam by the root of a corrected running
#   mean. Each at its own best rate, they end close together.
# - L2 and weight decay are the same for SGD and differ for Adam. On our task both help alike; AdamW is easier to tune.
# - Clip by norm, warm up, let the rate fall: these prevent accidents and settle noise. Where there are none, they
#   change little.
# - Stop by the number that you care about. Average the steps of one network, or the answers of several, never the
#   weights of strangers.
#
# All measured on features of the course's drawings with few labels; on your data measure again, and fairly.
#
# From the toolbox this lesson used `load_network` and, in PyTorch, `replace_head`, `predict` and `ImageDataset`. It
# added nothing to it.
#
# ## Check yourself

# %% [markdown] lang="es"
# ## Lo que ya sabe hacer
#
# - Adagrad divide entre la raíz de una suma; RMSProp, entre la raíz de una media móvil; Adam, entre la raíz de una
#   media móvil corregida. Cada uno con su mejor tasa, acaban cerca unos de otros.
# - L2 y el decaimiento de pesos son lo mismo con SGD y difieren con Adam. En nuestra tarea ayudan por igual; AdamW es
#   más fácil de ajustar.
# - Recortar por norma, calentar, dejar que la tasa baje: evitan accidentes y asientan el ruido. Donde no los hay,
#   cambian poco.
# - Pare según el número que le importe. Promedie los pasos de una red, o las respuestas de varias, nunca los pesos de
#   redes ajenas.
#
# Todo se ha medido con características de los dibujos del curso y pocas etiquetas; con sus datos vuelva a medirlo, y
# con justicia.
#
# De la caja de herramientas, esta lección ha usado `load_network` y, en PyTorch, `replace_head`, `predict` e
# `ImageDataset`. No le ha añadido nada.
#
# ## Compruebe lo aprendido

# %%
show_quiz("11b_optimizers_and_schedules/after", LANGUAGE)

# %% [markdown] lang="en"
# ## Further reading
#
# - J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods", *JMLR* 12, 2011 (Adagrad); D. P. Kingma and J. Ba,
#   "Adam", *ICLR* 2015; D. Choi et al., "On empirical comparisons of optimizers for deep learning", 2019.
# - I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", *ICLR* 2019.
# - R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural networks", *ICML* 2013:
#   clipping.
# - L. Prechelt, "Early stopping – but when?", in *Neural Networks: Tricks of the Trade*, 1998.
# - P. Izmailov et al., "Averaging weights leads to wider optima and better generalization", *UAI* 2018.
# - C. Szegedy et al., "Rethinking the Inception architecture", *CVPR* 2016; R. Müller, S. Kornblith and G. Hinton,
#   "When does label smoothing help?", *NeurIPS* 2019; H. Zhang et al., "mixup", *ICLR* 2018; P. Micikevicius et al.,
#   "Mixed precision training", *ICLR* 2018.

# %% [markdown] lang="es"
# ## Para seguir leyendo
#
# - J. Duchi, E. Hazan e Y. Singer, «Adaptive subgradient methods», *JMLR* 12, 2011 (Adagrad); D. P. Kingma y J. Ba,
#   «Adam», *ICLR* 2015; D. Choi et al., «On empirical comparisons of optimizers for deep learning», 2019.
# - I. Loshchilov y F. Hutter, «Decoupled weight decay regularization», *ICLR* 2019.
# - R. Pascanu, T. Mikolov e Y. Bengio, «On the difficulty of training recurrent neural networks», *ICML* 2013: el
#   recorte.
# - L. Prechelt, «Early stopping – but when?», en *Neural Networks: Tricks of the Trade*, 1998.
# - P. Izmailov et al., «Averaging weights leads to wider optima and better generalization», *UAI* 2018.
# - C. Szegedy et al., «Rethinking the Inception architecture», *CVPR* 2016; R. Müller, S. Kornblith y G. Hinton, «When
#   does label smoothing help?», *NeurIPS* 2019; H. Zhang et al., «mixup», *ICLR* 2018; P. Micikevicius et al., «Mixed
#   precision training», *ICLR* 2018.
