# %% [markdown] lang="en"
# # Where does a network look, and can we believe the picture?
#
# **{Framework}** · about 45 minutes · before this: [02a](02a_what_layers_know_{framework}.ipynb), or at least
# [01 Cats and dogs](01_cats_vs_dogs_{framework}.ipynb).
#
# Nothing convinces like a picture with a glowing spot: "there the network has seen the cat". After this lesson you can
#
# - draw such a map, with **Grad-CAM**, in about ten lines of {Framework};
# - test whether it tells the truth, with a test that it can *fail*;
# - draw the features of hundreds of pictures in two dimensions, and say what the drawing hides;
# - put a classical classifier on frozen features, and tell a difference between two of them from noise.

# %% [markdown] lang="es"
# # ¿Dónde mira una red? ¿Y podemos creer lo que vemos?
#
# **{Framework}** · unos 45 minutos · antes: [02a](02a_what_layers_know_{framework}.ipynb) o, al menos,
# [01 Gatos y perros](01_cats_vs_dogs_{framework}.ipynb).
#
# Nada convence tanto como una imagen con una mancha brillante: «ahí ha visto la red al gato». Al terminar podrá:
#
# - dibujar un mapa así, con **Grad-CAM**, en unas diez líneas de {Framework};
# - comprobar si dice la verdad, con una prueba que el mapa pueda *no superar*;
# - dibujar en dos dimensiones las características de cientos de imágenes, y decir qué oculta el dibujo;
# - poner un clasificador clásico sobre características congeladas y distinguir del ruido una diferencia entre dos de
#   ellos.

# %% tags=["parameters"]
SEED = 0
DATASET = "drawn_pets_breeds"  # or "cats_vs_dogs", "oxford_pets_breeds", a folder with one sub-folder a class
BACKBONE = "mini_resnet"  # or "efficientnet_lite0"
IMAGE_SIZE = 64  # side of the images, in pixels; what the backbone was trained at
LABELS = 40  # labelled images of each class for the network that we explain
TEST_IMAGES = 400  # test images to look at, at most
MOSAICS = 200  # pictures of four tiles for the test of the maps
FEW_LABELS = 20  # labelled images of each class for the classical classifiers
DRAWS = 5  # how often those are repeated, with other images
ROUNDS = 150  # at most so many rounds of training, of 20 steps each
PATIENCE = 12  # rounds without a lower validation loss, after which training stops

# %%
# %matplotlib inline
from dataclasses import replace
from functools import partial

import numpy as np
from sklearn.model_selection import train_test_split

from tlhelpers import metrics, plots
from tlhelpers.data.datasets import load_splits
from tlhelpers.numbers import percent, thousands
from tlhelpers.quiz import show_quiz

show_quiz("02b_where_networks_look/before", LANGUAGE)

# %% framework="pytorch"
import copy
from collections import OrderedDict

import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader, RandomSampler, TensorDataset
from torchvision.transforms import v2

from tlhelpers.pytorch.heads import freeze, replace_head
from tlhelpers.pytorch.networks import load_network
from tlhelpers.pytorch.training import fit

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
print("PyTorch", torch.__version__, device)

# %% framework="tensorflow"
import keras
import tensorflow as tf
from keras import layers

from tlhelpers.tensorflow.networks import load_network
from tlhelpers.tensorflow.training import fit

print("TensorFlow", tf.__version__, "Keras", keras.__version__, tf.config.list_logical_devices()[-1].device_type)

# %% [markdown] lang="en"
# ## 1. A network to explain
#
# We take the [backbone](../../docs/glossary.md#backbone) of lesson 01, frozen, with one new linear
# [head](../../docs/glossary.md#head). With cats and dogs it would hardly ever be wrong, so it has to tell *breeds*
# apart. (With another `DATASET` it tells that one's classes apart.)
#
# The pictures of this lesson already have the size that the network wants, and later on we shall show it larger ones.
# So of its preprocessing we take only what concerns the colours.

# %% [markdown] lang="es"
# ## 1. Una red que explicar
#
# Tomamos la [red base](../../docs/glosario.md#red-base) de la lección 01, congelada, con una
# [cabeza](../../docs/glosario.md#cabeza) lineal nueva. Con gatos y perros apenas se equivocaría, así que tiene que
# distinguir *razas*. (Con otro `DATASET`, distingue las clases de este).
#
# Las imágenes de esta lección ya tienen el tamaño que quiere la red, y más adelante le mostraremos otras mayores. Por
# eso, de su preprocesamiento tomamos solo lo que se refiere a los colores.

# %% tags=["nbval-check-output"]
data = load_splits(DATASET, image_size=IMAGE_SIZE, seed=SEED, progress=False)
class_words = plots.class_words(data.train.class_names, LANGUAGE)
num_classes = len(class_words)
test = data.test.take(np.random.default_rng(SEED).permutation(len(data.test))[:TEST_IMAGES])
print(f"train: {len(data.train)} · test: {len(test)} · {num_classes} {words['classes']}")


def draw_labelled(n, seed):
    """`n` labelled images of each class: x, y, and x_val, y_val, the last fifth, by which to stop and to choose."""
    drawn = data.train.per_class(min(n, np.bincount(data.train.labels).min()), seed=seed)
    fifth = max(num_classes, len(drawn) // 5)
    x, x_val, y, y_val = train_test_split(
        drawn.images, drawn.labels, test_size=fifth, stratify=drawn.labels, random_state=seed
    )
    return x, y, x_val, y_val


# %% framework="pytorch"
torch.manual_seed(SEED)
body, prepare = load_network(BACKBONE)
replace_head(body, 0)
freeze(body)
normalize = next(step for step in prepare.transforms if isinstance(step, v2.Normalize))


def pixels_of(images):
    """What the network takes, for images `(n, h, w, 3)` of 0 to 255 and of any size."""
    pixels = torch.tensor(images, device=device).permute(0, 3, 1, 2)  # PyTorch wants the colours first
    return normalize(pixels / 255)


def features_of(images):
    with torch.inference_mode():
        return body(pixels_of(images)).cpu().numpy()


body.to(device).eval()
size = features_of(test.images[:1]).shape[1]
model = nn.Sequential(OrderedDict(body=body, head=nn.Linear(size, num_classes))).to(device)
head = model.head
print(f"{size} features →", head)

# %% framework="tensorflow"
keras.utils.set_random_seed(SEED)
base, prepare = load_network(BACKBONE, None, include_top=False, pooling="avg")  # None: images of any size
base.trainable = False
LAST_MAPS = [layer.name for layer in base.layers if len(layer.output.shape) == 4][-1]
body = keras.Model(base.input, base.get_layer(LAST_MAPS).output)  # a sub-model: as far as the last maps
pool = layers.GlobalAveragePooling2D()  # their means, the features
model = keras.Sequential([keras.Input((None, None, 3)), body, pool, layers.Dense(num_classes)])


def pixels_of(images):
    """What the network takes, for images `(n, h, w, 3)` of 0 to 255 and of any size."""
    return tf.convert_to_tensor(prepare(images))


def features_of(images):
    return base(pixels_of(images), training=False).numpy()


size = base.output_shape[1]
head = keras.Sequential([keras.Input((size,)), model.layers[-1]])  # the model's own head, alone
print(LAST_MAPS, body.output_shape, f"→ {size} features →", model.output_shape)

# %% [markdown] lang="en"
# The head is trained on features that are computed once, by the rule of lesson 01: until the loss on the held-out
# labels has not fallen for `PATIENCE` rounds.

# %% [markdown] lang="es"
# La cabeza se entrena con características calculadas una sola vez y según la regla de la lección 01: hasta que la
# pérdida con las etiquetas apartadas lleva `PATIENCE` rondas sin bajar.


# %% framework="pytorch"
def fit_head(head, x, y, x_val, y_val):
    """Trains a head on features; returns the rounds that it took."""
    train, val = (TensorDataset(torch.from_numpy(a), torch.from_numpy(b)) for a, b in ((x, y), (x_val, y_val)))
    rounds = DataLoader(train, 16, sampler=RandomSampler(train, num_samples=320))
    optimizer = optim.AdamW(head.parameters(), lr=3e-3)
    return len(fit(head, optimizer, rounds, DataLoader(val, 64), patience=PATIENCE, epochs=ROUNDS)["loss"])


def probabilities_of(images):
    with torch.inference_mode():
        return model(pixels_of(images)).softmax(1).cpu().numpy()


# %% framework="tensorflow"
def fit_head(head, x, y, x_val, y_val):
    """Trains a head on features; returns the rounds that it took."""
    rounds = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(y)).repeat().batch(16).take(20)
    val = tf.data.Dataset.from_tensor_slices((x_val, y_val)).batch(64)
    optimizer = keras.optimizers.AdamW(3e-3)
    return len(fit(head, optimizer, rounds, val, patience=PATIENCE, epochs=ROUNDS)["loss"])


def probabilities_of(images):
    return tf.nn.softmax(model(pixels_of(images), training=False)).numpy()


# %%
def in_batches(function, images, *more):
    """What `function` gives for many images, 50 at a time."""
    starts = range(0, len(images), 50)
    return np.concatenate([function(*(part[i : i + 50] for part in (images, *more))) for i in starts])


x, y, x_val, y_val = draw_labelled(LABELS, SEED)
features, val_features = in_batches(features_of, x), in_batches(features_of, x_val)
rounds = fit_head(head, features, y, val_features, y_val)
pictures, truth = test.images, test.labels
probabilities = in_batches(probabilities_of, pictures)
answers = probabilities.argmax(1)
correct = answers == truth
print(rounds, words["rounds"], "·", words["accuracy"], metrics.wilson_interval(correct.mean(), len(correct)))

# %% [markdown] lang="en"
# ## 2. Grad-CAM, in the open
#
# Which parts of a picture speak for the answer? A [class activation
# map](../../docs/glossary.md#class-activation-map) marks them. **Grad-CAM** makes one for any network that ends in
# [feature maps](../../docs/glossary.md#feature-map):
#
# $$M = \max\Big(0, \sum_k \alpha_k A_k\Big), \qquad \alpha_k = \frac{1}{P} \sum_p \frac{\partial s}{\partial A_{k,p}}$$
#
# $A_k$ is the map of channel $k$ of the last layer, $A_{k,p}$ its value at position $p$, and $P$ the number of its
# positions. $s$ is the score ([logit](../../docs/glossary.md#logits)) of the class. So $\alpha_k$ says how much the
# score grows with channel $k$. $M$ adds up the maps, each with that weight, and sets to 0 what speaks against the
# class.

# %% [markdown] lang="es"
# ## 2. Grad-CAM, a la vista
#
# ¿Qué partes de una imagen apoyan la respuesta? Las señala un [mapa de activación de
# clase](../../docs/glosario.md#mapa-de-activación-de-clase). **Grad-CAM** lo obtiene de cualquier red que termine en
# [mapas de características](../../docs/glosario.md#mapa-de-características):
#
# $$M = \max\Big(0, \sum_k \alpha_k A_k\Big), \qquad \alpha_k = \frac{1}{P} \sum_p \frac{\partial s}{\partial A_{k,p}}$$
#
# $A_k$ es el mapa del canal $k$ de la última capa; $A_{k,p}$, su valor en la posición $p$, y $P$, el número de
# posiciones. $s$ es la puntuación ([logit](../../docs/glosario.md#logits)) de la clase. Así, $\alpha_k$ dice cuánto
# crece la puntuación con el canal $k$. $M$ suma los mapas, cada uno con ese peso, y deja en 0 lo que va en contra de la
# clase.

# %% [markdown] lang="en" framework="pytorch"
# The maps are inside the network. We fetch them with a **hook**, as in lesson 01, and ask `torch.autograd.grad` how the
# score depends on them.

# %% [markdown] lang="en" framework="tensorflow"
# The maps are inside the network. Our `body` is the sub-model that ends in them; the rest of the network runs under a
# `GradientTape`, which is told to watch the maps.

# %% [markdown] lang="es" framework="pytorch"
# Los mapas están dentro de la red. Los tomamos con un **gancho** (*hook*), como en la lección 01, y preguntamos a
# `torch.autograd.grad` cómo depende de ellos la puntuación.

# %% [markdown] lang="es" framework="tensorflow"
# Los mapas están dentro de la red. Nuestro `body` es el submodelo que termina en ellos; el resto de la red trabaja bajo
# una `GradientTape`, a la que pedimos que vigile los mapas.

# %% framework="pytorch"
LAST_MAPS = {"efficientnet_lite0": "bn2"}.get(BACKBONE, "layer4")  # the last part that gives maps


def grad_cam(model, images, classes):
    """What speaks for a class of each image, and where: `(n, h, w)`, 0 to 1."""
    kept = {}
    hook = model.body.get_submodule(LAST_MAPS).register_forward_hook(
        lambda part, inputs, output: kept.update(maps=output.requires_grad_())
    )
    scores = model.eval()(pixels_of(images))[torch.arange(len(images)), torch.from_numpy(classes)]
    hook.remove()
    gradients = torch.autograd.grad(scores.sum(), kept["maps"])[0]
    weights = gradients.mean((2, 3), keepdim=True)  # alpha, one number for each channel
    evidence = F.relu((weights * kept["maps"]).sum(1, keepdim=True))
    evidence = F.interpolate(evidence, images.shape[1:3], mode="bilinear")[:, 0]  # as large as the picture
    strongest = evidence.amax((1, 2), keepdim=True).clamp(min=1e-9)
    return (evidence / strongest).detach().cpu().numpy()


# %% framework="tensorflow"
def grad_cam(model, images, classes):
    """What speaks for a class of each image, and where: `(n, h, w)`, 0 to 1."""
    body, pool, head = model.layers
    maps = body(pixels_of(images), training=False)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        scores = tf.gather(head(pool(maps)), classes, batch_dims=1)
    gradients = tape.gradient(scores, maps)
    weights = tf.reduce_mean(gradients, (1, 2), keepdims=True)  # alpha, one number for each channel
    evidence = tf.nn.relu(tf.reduce_sum(weights * maps, -1, keepdims=True))
    evidence = tf.image.resize(evidence, images.shape[1:3])[..., 0]  # as large as the picture
    strongest = tf.reduce_max(evidence, (1, 2), keepdims=True)
    return (evidence / tf.maximum(strongest, 1e-9)).numpy()


# %%
def show_maps(images, maps, titles, columns, side=1.35):
    """Pictures, and on those for which there is one the map as heat."""
    axes = plots.show_images(images, titles, columns=columns, side=side)
    for ax, heat in zip(axes.flat, maps):
        if heat is not None:
            ax.imshow(heat, cmap="inferno", alpha=0.6, vmin=0, vmax=1)
    return axes


evidence = in_batches(partial(grad_cam, model), pictures, answers)
shown = np.argsort(~correct, kind="stable")[:4]  # those that it got right come first
titles = [class_words[k] for k in answers[shown]] + [""] * 4
axes = show_maps(pictures[[*shown, *shown]], [None] * 4 + [*evidence[shown]], titles, 4)

# %% [markdown] lang="en"
# *Four right answers. Below each picture, its map for the answer: the brighter, the more that place speaks for it.*
#
# The last maps have few positions, so the spots are coarse. And each map is stretched until its strongest place is
# 1: **a map glows even where there is next to nothing to see**. What do the maps of mistakes look like?

# %% [markdown] lang="es"
# *Cuatro respuestas correctas. Debajo de cada imagen, su mapa para la respuesta: cuanto más brilla un lugar, más la
# apoya.*
#
# Los últimos mapas tienen pocas posiciones, y por eso las manchas son gruesas. Además, cada mapa se estira hasta que su
# lugar más fuerte vale 1: **un mapa brilla aunque no haya casi nada que ver**. ¿Cómo son los mapas de los errores?

# %%
wrong = metrics.most_confident_mistakes(truth, probabilities, 4)
if len(wrong):
    for_truth = grad_cam(model, pictures[wrong], truth[wrong])
    titles = [f"{class_words[truth[i]]}\n→ {class_words[answers[i]]}" for i in wrong]
    titles += [f"→ {class_words[answers[i]]}" for i in wrong] + [f"{class_words[truth[i]]} ?" for i in wrong]
    maps = [None] * len(wrong) + [*evidence[wrong]] + [*for_truth]
    axes = show_maps(pictures[[*wrong, *wrong, *wrong]], maps, titles, len(wrong))

# %% [markdown] lang="en"
# *The mistakes of which the network was most certain (true class → answer). Second row: what speaks for the wrong
# answer. Third row: what speaks for the **true** class.*
#
# Cover the titles: could you tell from a map in the second row that the answer is wrong? And the true class finds its
# evidence too. So a map is no certificate of a right answer.
#
# **Your turn (1).** Grad-CAM is the younger sister of **CAM** (2016), which needs no gradient. After the last maps our
# network takes their means and weighs them with the head. So the head's own weights can stand in the place of
# $\alpha_k$. Write CAM: it takes the maps, the head and a class, and gives the evidence, cut off at 0. The check
# compares it with what it should be, up to a factor.

# %% [markdown] lang="es"
# *Los errores de los que la red estaba más segura (clase verdadera → respuesta). Segunda fila: lo que apoya la
# respuesta errónea. Tercera fila: lo que apoya la clase **verdadera**.*
#
# Tape los títulos: ¿sabría decir, por un mapa de la segunda fila, que la respuesta es errónea? Además, también la clase
# verdadera encuentra sus indicios. Un mapa no certifica, pues, que la respuesta sea correcta.
#
# **Le toca a usted (1).** Grad-CAM es la hermana menor de **CAM** (2016), que no necesita gradientes. Tras los últimos
# mapas, nuestra red toma sus medias y las pondera con la cabeza. Así que los propios pesos de la cabeza pueden ocupar
# el lugar de $\alpha_k$. Escriba CAM: recibe los mapas, la cabeza y una clase y da los indicios, cortados en 0. La
# comprobación los compara con lo que deben ser, salvo un factor.


# %% tags=["folded"]
def check_values(given, cases, other):
    """Says what an array is: the first of the cases that it equals, of which "right" is one, or another one."""
    if given is None:
        print("✘", words["no_answer"])
    elif given.shape != cases["right"].shape:
        print("✘", words["wrong_shape"], cases["right"].shape, "≠", given.shape)
    else:
        like = [case for case, wanted in cases.items() if np.allclose(given, wanted, rtol=1e-3, atol=1e-5)]
        case = like[0] if like else other
        print("✔" if case == "right" else "✘", words[case])


# %% framework="pytorch" tags=["folded"]
def check_cam(cam):
    torch.manual_seed(0)
    maps, head = torch.randn(5, 8, 4, 4), nn.Linear(8, 3)
    try:
        given = cam(maps, head, 2)
    except (RuntimeError, IndexError, TypeError) as error:
        print("✘", words["cam_error"], str(error).splitlines()[0])
        return
    wanted = (maps * head.weight[2].view(1, 8, 1, 1)).sum(1).detach()
    cases = {"right": wanted.clamp(min=0), "cam_uncut": wanted}
    if given is not None and given.shape == wanted.shape:  # a factor does not matter
        given = given.detach() * (wanted.max() / given.max().clamp(min=1e-9))
    check_values(
        given if given is None else given.detach().numpy(), {k: v.numpy() for k, v in cases.items()}, "cam_other"
    )


# %% framework="tensorflow" tags=["folded"]
def check_cam(cam):
    keras.utils.set_random_seed(0)
    maps, head = tf.random.normal((5, 4, 4, 8)), layers.Dense(3)
    head.build((None, 8))
    try:
        given = cam(maps, head, 2)
    except (tf.errors.InvalidArgumentError, ValueError, TypeError, IndexError) as error:
        print("✘", words["cam_error"], str(error).splitlines()[0])
        return
    wanted = tf.reduce_sum(maps * head.kernel[:, 2], -1).numpy()
    given = given if given is None else np.array(given)
    if given is not None and given.shape == wanted.shape:  # a factor does not matter
        given = given * (wanted.max() / max(given.max(), 1e-9))
    check_values(given, {"right": np.maximum(wanted, 0), "cam_uncut": wanted}, "cam_other")


# %% framework="pytorch"
def cam(maps, head, k):
    """Evidence `(n, h, w)` for class `k`: `maps` are `(n, channels, h, w)`, `head` is an `nn.Linear`."""
    # write here


check_cam(cam)


# %% framework="tensorflow"
def cam(maps, head, k):
    """Evidence `(n, h, w)` for class `k`: `maps` are `(n, h, w, channels)`, `head` is a `Dense`."""
    # write here


check_cam(cam)


# %% framework="pytorch" tags=["solution"]
def cam(maps, head, k):
    return F.relu(torch.einsum("nchw,c->nhw", maps, head.weight[k]))


check_cam(cam)


# %% framework="tensorflow" tags=["solution"]
def cam(maps, head, k):
    return tf.nn.relu(tf.einsum("nhwc,c->nhw", maps, head.kernel[:, k]))


check_cam(cam)

# %% [markdown] lang="en"
# For a network that ends in means and one linear layer, CAM and Grad-CAM are the same map: the score is a weighted sum
# of means, so its gradient with respect to channel $k$ is the head's weight divided by $P$, at each position. Grad-CAM
# is worth its gradient where the head has more layers.
#
# ## 3. Does the map tell the truth?
#
# A map says: "this place made the answer". That can be tested. **Cover** the strongest place with a grey square and see
# how much probability the answer loses. To know what the loss means, cover other places too. Which of these do you
# expect to cost as much?
#
# - a place **at random**;
# - the strongest place in the map of **another picture**;
# - the strongest place in the map of a network with **random weights**, which knows nothing;
# - the **centre** of the picture.

# %% [markdown] lang="es"
# En una red que termina en medias y una sola capa lineal, CAM y Grad-CAM dan el mismo mapa: la puntuación es una suma
# ponderada de medias, así que su gradiente respecto del canal $k$ es el peso de la cabeza dividido entre $P$, en todas
# las posiciones. El gradiente de Grad-CAM vale la pena cuando la cabeza tiene más capas.
#
# ## 3. ¿Dice la verdad el mapa?
#
# Un mapa afirma: «la respuesta se debe a este lugar». Eso se puede comprobar. **Tape** el lugar más fuerte con un
# cuadrado gris y mire cuánta probabilidad pierde la respuesta. Para saber qué significa la pérdida, tape también otros
# lugares. ¿Cuál de estos cree que costará lo mismo?
#
# - un lugar **al azar**;
# - el lugar más fuerte del mapa de **otra imagen**;
# - el lugar más fuerte del mapa de una red con **pesos al azar**, que no sabe nada;
# - el **centro** de la imagen.

# %% framework="pytorch"
torch.manual_seed(SEED + 1)
twin, _ = load_network(BACKBONE, pretrained=False)  # the same architecture, all weights random
replace_head(twin, 0)
freeze(twin)
twin = nn.Sequential(OrderedDict(body=twin, head=nn.Linear(size, num_classes))).to(device)

# %% framework="tensorflow"
keras.utils.set_random_seed(SEED + 1)
# The same architecture, all weights random.
random_base, _ = load_network(BACKBONE, None, pretrained=False, include_top=False, pooling="avg")
random_body = keras.Model(random_base.input, random_base.get_layer(LAST_MAPS).output)
twin = keras.Sequential([keras.Input((None, None, 3)), random_body, pool, layers.Dense(num_classes)])


# %%
def rival_maps(images, classes):
    """The map, and three that cannot know what is in the picture."""
    off = (np.arange(images.shape[1]) - images.shape[1] // 2) / images.shape[1]
    other = np.random.default_rng(SEED).permutation(len(images))
    found = {"marked": in_batches(partial(grad_cam, model), images, classes)}
    found["another"] = found["marked"][other]
    found["random_weights"] = in_batches(partial(grad_cam, twin), images, classes)
    found["centre"] = np.broadcast_to(np.exp(-8 * (off[:, None] ** 2 + off**2)), found["marked"].shape)
    return found


def cover(images, places, side):
    """A grey square on each image, around a place (row, column)."""
    covered, half = images.copy(), side // 2
    for image, (row, column) in zip(covered, places):
        image[max(0, row - half) : row + half, max(0, column - half) : column + half] = 128
    return covered


# %%
def losses(images, classes, maps, side):
    """How many points of probability the class loses where the square lies on the strongest place of each map."""
    rows, rng = np.arange(len(images)), np.random.default_rng(SEED)
    before = in_batches(probabilities_of, images)[rows, classes]
    places = {  # row and column of the largest value
        name: np.stack(np.unravel_index(heat.reshape(len(heat), -1).argmax(1), heat.shape[1:]), axis=1)
        for name, heat in maps.items()
    }
    places["random_place"] = rng.integers(side // 2, images.shape[1] - side // 2 + 1, (len(images), 2))
    return {
        name: 100 * (before - in_batches(probabilities_of, cover(images, where, side))[rows, classes])
        for name, where in places.items()
    }


# %%
def show_losses(lost):
    for name, values in lost.items():
        e = metrics.mean_interval(list(values))
        print(f"{words[name]:>36}: {e.value:5.1f} {words['points']} ({e.low:.1f} – {e.high:.1f})")


lost = losses(pictures, answers, rival_maps(pictures, answers), 5 * IMAGE_SIZE // 16)
show_losses(lost)

# %%
claim("more_than_a_random_place", metrics.mean_interval(list(lost["marked"] - lost["random_place"])))
claim("the_centre_does_as_well", metrics.mean_interval(list(lost["marked"] - lost["centre"])))

# %% [markdown] lang="en"
# *How much probability the answer loses when a place is covered: the mean over all test pictures, with its 95 %
# interval.*
#
# The marked place costs far more than a random one. Many texts stop here, and say that the map has passed. But look at
# the other lines: **the centre costs at least as much**, and it knows neither picture nor network. The animal is in the
# middle of nearly all pictures, so whatever marks the middle passes. Even another picture's map is better than chance.
#
# So on these pictures the test says nothing for the map, nor against it. On real photos with `efficientnet_lite0` the
# marked place cost 5 to 6 points and the centre 2 ([docs/photos.md](../../docs/photos.md)): there the animal is not
# always in the middle. What we need are pictures in which the answer's place cannot be guessed.
#
# ## 4. A test that the map can fail
#
# We put four test pictures into a **mosaic** of 2 × 2 tiles. One tile, at a random place, has the class that we ask
# for; the others have other classes. A network without fixed size takes the whole. A map that says where the class is
# must lie on *that* tile, and a map that guesses has a quarter of itself there. Here is one mosaic, asked for each of
# its classes:

# %% [markdown] lang="es"
# *Cuánta probabilidad pierde la respuesta cuando se tapa un lugar: la media de todas las imágenes de prueba, con su
# intervalo del 95 %.*
#
# El lugar señalado cuesta mucho más que uno al azar. Muchos textos se detienen aquí y dicen que el mapa ha superado la
# prueba. Pero mire las otras líneas: **el centro cuesta al menos lo mismo**, y no sabe nada ni de la imagen ni de la
# red. El animal está en medio de casi todas las imágenes, así que la supera cualquier cosa que señale el medio. Hasta
# el mapa de otra imagen supera al azar.
#
# Con estas imágenes, pues, la prueba no dice nada a favor del mapa ni en contra. Con fotos reales y
# `efficientnet_lite0`, el lugar señalado costó de 5 a 6 puntos, y el centro, 2 ([docs/fotos.md](../../docs/fotos.md)):
# en ellas el animal no está siempre en medio. Necesitamos imágenes en las que no se pueda adivinar el lugar de la
# respuesta.
#
# ## 4. Una prueba que el mapa puede no superar
#
# Juntamos cuatro imágenes de prueba en un **mosaico** de 2 × 2 casillas. Una, en un lugar al azar, tiene la clase por
# la que preguntamos; las demás tienen otras. Una red sin tamaño fijo acepta el mosaico entero. Un mapa que diga dónde
# está la clase tiene que caer en *esa* casilla, y uno que adivine tendrá allí una cuarta parte. Este es un mosaico, con
# una pregunta por cada una de sus clases:


# %%
def make_mosaics(n, seed):
    """Pictures of four tiles, the class asked for, its tile (0 to 3), and the labels of all four."""
    rng, labels = np.random.default_rng(seed), test.labels
    classes, tiles, chosen = rng.choice(np.unique(labels), n), rng.integers(4, size=n), np.empty((n, 4), int)
    for i, (k, tile) in enumerate(zip(classes, tiles)):
        others = np.resize(rng.permutation(np.flatnonzero(labels != k)), 3)  # two may come twice
        chosen[i] = np.insert(others, tile, rng.choice(np.flatnonzero(labels == k)))
    side = IMAGE_SIZE
    grid = test.images[chosen].reshape(n, 2, 2, side, side, 3).transpose(0, 1, 3, 2, 4, 5)
    return grid.reshape(n, 2 * side, 2 * side, 3), classes, tiles, labels[chosen]


mosaics, asked, tiles, four = make_mosaics(MOSAICS, SEED)
one = max(range(MOSAICS), key=lambda i: len(set(four[i])))  # four classes, where there are
repeated = np.repeat(mosaics[one : one + 1], 4, axis=0)
titles = ["", *(f"{class_words[k]} ?" for k in four[one])]
maps = [None, *grad_cam(model, repeated, four[one])]
axes = show_maps(np.concatenate([repeated[:1], repeated]), maps, titles, 5, side=1.6)


# %%
def share_inside(maps, masks):
    """How much of each map lies inside a mask, as a fraction; NaN for a map that is 0 everywhere."""
    total = maps.sum((1, 2))
    return (maps * masks).sum((1, 2)) / np.where(total > 0, total, np.nan)


right_tile = np.repeat(np.repeat((np.arange(4) == tiles[:, None]).reshape(-1, 2, 2), IMAGE_SIZE, 1), IMAGE_SIZE, 2)
maps = rival_maps(mosaics, asked)
on_tile = {name: 100 * share_inside(heat, right_tile) for name, heat in maps.items()}
for name, share in on_tile.items():
    e = metrics.mean_interval(list(share[np.isfinite(share)]))
    print(f"{words[name]:>36}: {e.value:5.1f} % {words['on_tile']} ({e.low:.1f} – {e.high:.1f})")
mosaic_lost = losses(mosaics, asked, maps, 5 * IMAGE_SIZE // 8)
show_losses(mosaic_lost)

# %%
rivals = [name for name in mosaic_lost if name != "marked"]
claim("the_map_finds_the_tile", float(np.nanmean(on_tile["marked"])))
claim("guesses_do_not", max(float(np.nanmean(on_tile[name])) for name in rivals if name in on_tile))
best_rival = max(rivals, key=lambda name: mosaic_lost[name].mean())
claim("and_its_place_matters", metrics.mean_interval(list(mosaic_lost["marked"] - mosaic_lost[best_rival])))

# %% [markdown] lang="en"
# *In the figure: a mosaic, and the map for each class in it. Above these lines: how much of the map lies on the tile of
# the class that was asked for (a map that guesses has 25 %), and how much probability that class loses when a square,
# more than half a tile wide, covers the strongest place; means over all mosaics, with 95 % intervals.*
#
# Now the rivals fall back to chance, the centre too, and the map does not. **This** is a result for Grad-CAM: on these
# pictures it finds the class among others. It holds for the course's drawings and this network. In mosaics of real
# photos, with `efficientnet_lite0`, 86 to 89 % of the map lay on the right tile; such grids of photos are in use as a
# test elsewhere too (Böhle and others, 2021). It says little about *which part* of the animal counts; for that, the
# spots are too coarse.
#
# **Your turn (2).** There is a simpler map: the gradient of the score with respect to the **pixels**
# ([saliency](../../docs/glossary.md#saliency-map), 2013). Where a small change of a pixel changes the score much, the
# map is bright. Write it, for images and their classes: at each pixel the largest absolute gradient of its three
# colours. Take the score, not the probability.

# %% [markdown] lang="es"
# *En la figura: un mosaico y el mapa para cada una de sus clases. En las líneas de arriba: qué parte del mapa cae en la
# casilla de la clase por la que se pregunta (un mapa que adivine tiene un 25 %), y cuánta probabilidad pierde esa clase
# cuando se tapa el lugar más fuerte con un cuadrado de más de media casilla de lado; medias de todos los mosaicos, con
# intervalos del 95 %.*
#
# Ahora los rivales se quedan en el azar, también el centro; el mapa, no. **Esto** sí es un resultado a favor de
# Grad-CAM: en estas imágenes encuentra la clase entre otras. Vale para los dibujos del curso y para esta red. En
# mosaicos de fotos reales, con `efficientnet_lite0`, entre el 86 y el 89 % del mapa cayó en la casilla correcta; esas
# cuadrículas de fotos se usan como prueba también en otros trabajos (Böhle y otros, 2021). Y dice poco sobre *qué
# parte* del animal cuenta; para eso, las manchas son demasiado gruesas.
#
# **Le toca a usted (2).** Hay un mapa más sencillo: el gradiente de la puntuación respecto de los **píxeles** ([mapa de
# saliencia](../../docs/glosario.md#mapa-de-saliencia), en inglés *saliency*, 2013). Donde un pequeño cambio de un píxel
# cambia mucho la puntuación, el mapa brilla. Escríbalo, para unas imágenes y sus clases: en cada píxel, el mayor
# gradiente, en valor absoluto, de sus tres colores. Tome la puntuación, no la probabilidad.


# %% framework="pytorch" tags=["folded"]
def check_saliency(saliency):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3)).to(device)
    images, classes = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8), np.array([0, 2, 1, 2])

    def wanted(output):
        pixels = pixels_of(images).requires_grad_()
        return torch.autograd.grad(output(net(pixels))[torch.arange(4), classes].sum(), pixels)[0].cpu().numpy()

    try:
        given = saliency(net, images, classes)
    except (RuntimeError, IndexError) as error:
        print("✘", words["saliency_error"], str(error).splitlines()[0])
        return
    given = given.detach().cpu().numpy() if isinstance(given, torch.Tensor) else given
    score, probability = (wanted(output) for output in (lambda scores: scores, lambda scores: scores.softmax(1)))
    cases = {"right": np.abs(score).max(1), "saliency_sign": score.max(1)}
    cases["saliency_of_probability"] = np.abs(probability).max(1)
    check_values(given, cases, "saliency_other")


# %% framework="tensorflow" tags=["folded"]
def check_saliency(saliency):
    keras.utils.set_random_seed(0)
    net = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), layers.Dense(3)]
    )
    images, classes = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8), np.array([0, 2, 1, 2])

    def wanted(output):
        pixels = pixels_of(images)
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            scores = tf.gather(output(net(pixels)), classes, batch_dims=1)
        return tape.gradient(scores, pixels).numpy()

    try:
        given = saliency(net, images, classes)
    except (tf.errors.InvalidArgumentError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        print("✘", words["saliency_error"], str(error).splitlines()[0])
        return
    score, probability = wanted(lambda scores: scores), wanted(tf.nn.softmax)
    cases = {"right": np.abs(score).max(-1), "saliency_sign": score.max(-1)}
    cases["saliency_of_probability"] = np.abs(probability).max(-1)
    check_values(given if given is None else np.array(given), cases, "saliency_other")


# %% framework="pytorch"
def saliency(model, images, classes):
    """`(n, h, w)`: how much the score of each image's class depends on each pixel. `pixels_of` gives the pixels."""
    # write here


check_saliency(saliency)


# %% framework="tensorflow"
def saliency(model, images, classes):
    """`(n, h, w)`: how much the score of each image's class depends on each pixel. `pixels_of` gives the pixels."""
    # write here


check_saliency(saliency)


# %% framework="pytorch" tags=["solution"]
def saliency(model, images, classes):
    pixels = pixels_of(images).requires_grad_()
    scores = model(pixels)[torch.arange(len(images)), torch.from_numpy(classes)]
    gradients = torch.autograd.grad(scores.sum(), pixels)[0]
    return gradients.abs().amax(1).cpu().numpy()


check_saliency(saliency)


# %% framework="tensorflow" tags=["solution"]
def saliency(model, images, classes):
    pixels = pixels_of(images)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        scores = tf.gather(model(pixels, training=False), classes, batch_dims=1)
    gradients = tape.gradient(scores, pixels)
    return tf.reduce_max(tf.abs(gradients), -1).numpy()


check_saliency(saliency)

# %%
heat = in_batches(partial(saliency, model), mosaics, asked)
e = metrics.mean_interval(list(100 * share_inside(heat, right_tile)))
print(f"saliency: {e.value:.1f} % {words['on_tile']} ({e.low:.1f} – {e.high:.1f})")
claim("the_gradient_does_not_find_it", e)

# %% [markdown] lang="en"
# The plain gradient lies on all four tiles alike: it says where a *change* would matter, and one in any tile would.
# Where the score came from is another question. So ask of each map which question it answers.
#
# ## 5. Away from the centre
#
# Our animals are drawn, so we can move them, and we know their outline: draw the animal twice, before a black scene and
# before a white one. Where the two agree is the animal. Now a second way to test a map: how much of it lies *inside*
# the animal? We ask for drawings as they come, with the animal in the middle, and for the same animals small and in a
# corner. (Of photos nobody knows the outline: with them this section is left out.)

# %% [markdown] lang="es"
# El simple gradiente cae en las cuatro casillas por igual: dice dónde importaría un *cambio*, y en cualquiera de ellas
# importaría. De dónde viene la puntuación es otra pregunta. Pregúntese, pues, con cada mapa, a qué pregunta responde.
#
# ## 5. Lejos del centro
#
# Nuestros animales están dibujados, así que podemos moverlos y conocemos su contorno: se dibuja el animal dos veces,
# ante una escena negra y ante una blanca. Donde las dos coinciden está el animal. Así tenemos una segunda manera de
# poner a prueba un mapa: ¿qué parte cae *dentro* del animal? Lo preguntamos con dibujos tal como salen, con el animal
# en medio, y con los mismos animales, pequeños y en una esquina. (De las fotos nadie conoce el contorno: con ellas se
# omite esta sección).

# %%
from tlhelpers.drawn_pets import draw, draw_pets

drawn = DATASET.startswith("drawn_pets")


def mask_of(factors):
    """Where the animal is: the pixels that do not change when the scene goes from black to white."""
    still = replace(factors, light=1.0, warmth=0.0, noise=0.0, blur=0.0)
    black, white = (draw(replace(still, upper=(v,) * 3, lower=(v,) * 3), IMAGE_SIZE) for v in (0, 255))
    return np.abs(white.astype(int) - black).max(-1) < 8


if drawn:
    pets = draw_pets(160, seed=SEED + 2000, size=IMAGE_SIZE, factors={"occlusion": 0.0})
    rng, kinds = np.random.default_rng(SEED), pets.species if num_classes == 2 else pets.breeds
    in_corner = [
        replace(f, pose="head", scale=0.18, x=float(rng.choice([0.2, 0.8])), y=float(rng.choice([0.25, 0.7])))
        for f in pets.factors
    ]
    animals = {"middle": pets.factors, "corner": in_corner}
    drawings = {where: np.stack([draw(f, IMAGE_SIZE) for f in some]) for where, some in animals.items()}
    masks = {where: np.stack([mask_of(f) for f in some]) for where, some in animals.items()}
else:
    print(words["no_masks"])

# %%
inside = {}
for where in animals if drawn else ():
    area = masks[where].mean((1, 2))
    print(f"{words[where]}: {percent(area.mean())} {words['of_the_picture']}")
    for name, heat in rival_maps(drawings[where], kinds).items():
        inside[where, name] = share_inside(heat, masks[where])
        excess = 100 * (inside[where, name] - area)
        e = metrics.mean_interval(list(excess[np.isfinite(excess)]))
        print(f"{words[name]:>36}: {percent(np.nanmean(inside[where, name]))} {words['inside']}, "
              f"{e.value:+.1f} {words['points']} ({e.low:+.1f} … {e.high:+.1f})")  # fmt: skip
if drawn:
    five = drawings["corner"][:5]
    axes = show_maps(np.concatenate([five, five]), [None] * 5 + [*grad_cam(model, five, kinds[:5])], [], 5)
    follows = {name: 100 * np.nanmean(share) for (where, name), share in inside.items() if where == "corner"}
    claim("in_the_corner_it_follows", follows.pop("marked") - max(follows.values()))

# %% [markdown] lang="en"
# *Animals in a corner and their maps. Above: how much of a map lies inside the animal, and how many points that is more
# than the animal's share of the picture, which a map spread evenly would have.*
#
# With the animal in the middle, a plain spot in the centre does as well as Grad-CAM once more. With the animal in a
# corner, no more of the spot lies inside than of a map spread evenly, while Grad-CAM follows the animal. It does so on
# average; in the figure you may see maps that miss. Even random weights do a little better than an even spread here,
# and so does the map of another picture, which cannot know where the animal is. In the middle random weights have no
# such lead. One random network does not say why.
#
# ## 6. The same map from random weights?
#
# Adebayo and others (2018) asked: does a map depend on what the network has *learnt*? They put random numbers into its
# layers, one after the other, from the head down. Some well-known kinds of map hardly changed, though the network knew
# less and less: those maps showed edges of the picture, and said nothing about the network. Let us do it, with the
# weights of the untrained twin, and compare each map with the real one by [**rank
# correlation**](../../docs/glossary.md#rank-correlation): 1 if both put all places in the same order, 0 if they have
# nothing in common.

# %% [markdown] lang="es"
# *Animales en una esquina y sus mapas. Arriba: qué parte de un mapa cae dentro del animal, y cuántos puntos más son que
# la parte de la imagen que ocupa el animal, que es lo que tendría un mapa repartido por igual.*
#
# Con el animal en medio, una simple mancha en el centro vuelve a valer tanto como Grad-CAM. Con el animal en una
# esquina, dentro de él no cae más parte de la mancha que de un mapa repartido por igual; Grad-CAM, en cambio, sigue al
# animal. Lo hace en promedio; en la figura verá quizá mapas que fallan. Hasta los pesos al azar logran aquí algo más
# que un reparto por igual, y también el mapa de otra imagen, que no puede saber dónde está el animal. En el centro, los
# pesos al azar no tienen esa ventaja. Una sola red al azar no dice por qué.
#
# ## 6. ¿El mismo mapa con pesos al azar?
#
# Adebayo y otros (2018) preguntaron: ¿depende un mapa de lo que la red ha *aprendido*? Pusieron números al azar en sus
# capas, una tras otra, desde la cabeza hacia abajo. Algunos tipos de mapa muy conocidos apenas cambiaron, aunque la red
# sabía cada vez menos: esos mapas mostraban los bordes de la imagen y no decían nada de la red. Hagámoslo, con los
# pesos de la gemela sin entrenar, y comparemos cada mapa con el verdadero mediante la [**correlación de
# rangos**](../../docs/glosario.md#correlación-de-rangos): 1 si ambos ponen todos los lugares en el mismo orden, 0 si no
# tienen nada en común.

# %% framework="pytorch"
PARTS = ["head", *(f"body.{name}" for name, part in [*body.named_children()][::-1] if [*part.parameters()])]


def with_random(parts):
    """A copy of the model; these parts of it have the twin's random weights."""
    mixed = copy.deepcopy(model)
    for part in parts:
        mixed.get_submodule(part).load_state_dict(twin.get_submodule(part).state_dict())
    return mixed


# %% framework="tensorflow"
PARTS = ["head", *dict.fromkeys(layer.name.split(".")[0] for layer in body.layers[::-1] if layer.weights)]


def with_random(parts):
    """A copy of the model; these parts of it have the twin's random weights."""
    mixed = keras.Sequential(
        [keras.Input((None, None, 3)), keras.models.clone_model(body), pool, layers.Dense(num_classes)]
    )
    for layer, random, mine in zip(mixed.layers[0].layers, twin.layers[0].layers, body.layers):
        layer.set_weights((random if layer.name.split(".")[0] in parts else mine).get_weights())
    mixed.layers[-1].set_weights((twin if "head" in parts else model).layers[-1].get_weights())
    return mixed


# %%
from scipy.stats import spearmanr

few = min(50, MOSAICS)
some, classes = mosaics[:few], asked[:few]
step = 2 * IMAGE_SIZE // 16  # compare at 16 × 16 places


def compare(heat, real):
    """Mean rank correlation of maps with the real ones, where neither is empty."""
    pairs = [(a[::step, ::step].ravel(), b[::step, ::step].ravel()) for a, b in zip(heat, real) if a.any() and b.any()]
    return float(np.mean([spearmanr(a, b).statistic for a, b in pairs]))


# %%
kinds_of_map = {"Grad-CAM": grad_cam, "saliency": saliency}
likeness, found = ({kind: [] for kind in kinds_of_map} for _ in range(2))
real = {kind: in_batches(partial(draw_map, model), some, classes) for kind, draw_map in kinds_of_map.items()}
for n in range(len(PARTS) + 1):
    mixed = with_random(PARTS[:n])
    for kind, draw_map in kinds_of_map.items():
        heat = in_batches(partial(draw_map, mixed), some, classes)
        likeness[kind].append(compare(heat, real[kind]))
        found[kind].append(100 * np.nanmean(share_inside(heat, right_tile[:few])))
for kind, values in likeness.items():
    print(f"{kind:>8}:", *(f"{value:.2f}" for value in values))

# %%
stages = np.arange(len(PARTS) + 1)
figure, axes = plots.plt.subplots(1, 2, figsize=(9.4, 3.6), layout="constrained")
for k, kind in enumerate(kinds_of_map):
    for ax, values in zip(axes, (likeness[kind], found[kind])):
        ax.plot(stages, values, plots.LINES[k], color=plots.COLOURS[k], marker=plots.MARKERS[k], label=kind)
axes[1].axhline(25, color="#666666", linewidth=1, linestyle=":")
for ax, label in zip(axes, ("likeness", "share")):
    ax.set_xticks(stages, [words["nothing"], *(part.removeprefix("body.") for part in PARTS)], rotation=40, ha="right")
    ax.set(xlabel=words["random_down_to"], ylabel=words[label])
    plots.tidy(ax)
axes[0].legend(frameon=False)
claim("a_random_head_ruins_the_map", likeness["Grad-CAM"][1])
claim("but_not_all_of_the_gradient", likeness["saliency"][1] - likeness["Grad-CAM"][1])

# %% [markdown] lang="en"
# *From left to right more and more of the network is random: first the head, then also the last stage, and so on. Left:
# rank correlation with the real maps. Right: how much of the map lies on the right tile; dotted: chance.*
#
# Grad-CAM passes: with a random head alone its maps have next to nothing in common with the real ones. That they change
# was to be expected, since they are made of the weights of the head. That they depend on what was *learnt* is in the
# right panel: what they have on the right tile falls to chance. The gradient of the pixels keeps part of its order,
# though a network with a random head no longer knows any class: that part of the map shows the picture, and not the
# class.
#
# ## 7. Features in two dimensions
#
# A picture has hundreds of [features](../../docs/glossary.md#feature); paper has two dimensions. Two ways to draw it
# all the same:
#
# - [**PCA**](../../docs/glossary.md#pca) turns the cloud of points so that we look at it from its broadest side.
# - [**t-SNE**](../../docs/glossary.md#t-sne) moves points on the paper until those that were neighbours are neighbours
#   again. Distances between groups, and the size of a group, mean little.
#
# And two numbers. The [**silhouette**](../../docs/glossary.md#silhouette-score) says whether the classes lie apart. For
# one image, let $a$ be the mean distance to its own class and $b$ that to the nearest other class; its silhouette is
# $(b - a) / \max(a, b)$: 1 far apart, 0 touching, below 0 among images of another class. **Kept neighbours** are the
# share of an image's ten nearest images that are still among its ten nearest on paper.

# %% [markdown] lang="es"
# *De izquierda a derecha, cada vez más partes de la red son aleatorias: primero la cabeza, después también la última
# etapa, y así sucesivamente. Izquierda: correlación de rangos con los mapas verdaderos. Derecha: qué parte del mapa cae
# en la casilla correcta; la línea de puntos es el azar.*
#
# Grad-CAM supera la prueba: basta una cabeza al azar para que sus mapas no tengan casi nada en común con los
# verdaderos. Que cambien era de esperar, pues están hechos con los pesos de la cabeza. Que dependen de lo *aprendido*
# se ve en el panel derecho: lo que cae en la casilla correcta baja hasta el azar. El gradiente de los píxeles conserva
# parte de su orden, aunque una red con una cabeza al azar ya no conoce ninguna clase: esa parte del mapa muestra la
# imagen, y no la clase.
#
# ## 7. Las características en dos dimensiones
#
# Una imagen tiene cientos de [características](../../docs/glosario.md#característica); el papel, dos dimensiones. Dos
# maneras de dibujarlo a pesar de todo:
#
# - [**PCA**](../../docs/glosario.md#pca) gira la nube de puntos para que la veamos por su lado más ancho.
# - [**t-SNE**](../../docs/glosario.md#t-sne) mueve los puntos sobre el papel hasta que los que eran vecinos vuelven a
#   serlo. Las distancias entre grupos, y el tamaño de un grupo, significan poco.
#
# Y dos números. El [**coeficiente de silueta**](../../docs/glosario.md#coeficiente-de-silueta) dice si las clases están
# separadas. Para una imagen, sea $a$ la distancia media a su propia clase y $b$ la distancia media a la otra clase más
# cercana; su silueta es $(b - a) / \max(a, b)$: 1 si está muy apartada, 0 si las clases se tocan, menos de 0 si está
# entre imágenes de otra clase. Los **vecinos conservados** son la parte de las diez imágenes más cercanas a una que en
# el papel siguen entre las diez más cercanas.

# %%
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors


def neighbours(points):
    """The ten nearest others of each point."""
    return NearestNeighbors(n_neighbors=10).fit(points).kneighbors(return_distance=False)


cloud = in_batches(features_of, test.images)
views, silhouette, kept = {}, {}, {}
if len(cloud) < 30:
    print(words["few_points"])
else:
    pca = PCA(2, random_state=SEED).fit(cloud)
    views = {words["all_features"]: cloud, "PCA": pca.transform(cloud)}
    tsne = TSNE(2, init="pca", perplexity=min(30, len(cloud) // 3), random_state=SEED)
    views["t-SNE"] = tsne.fit_transform(cloud)
    print(words["pca_keeps"], percent(pca.explained_variance_ratio_.sum(), 0))
for view, points in views.items():
    silhouette[view] = float(silhouette_score(points, test.labels))
    kept[view] = float(np.mean([len({*a} & {*b}) / 10 for a, b in zip(neighbours(cloud), neighbours(points))]))
    print(f"{view:>24}: {words['silhouette']} {silhouette[view]:+.2f}, {words['kept']} {percent(kept[view], 0)}")

# %%
if views:
    figure, axes = plots.plt.subplots(1, 2, figsize=(9.4, 4.2), layout="constrained")
for ax, view in zip(axes, ("PCA", "t-SNE") if views else ()):
    ax.scatter(*views[view].T, s=8, color="#CCCCCC", label=words["other_classes"] if num_classes > 6 else None)
    for k in range(min(6, num_classes)):
        points = views[view][test.labels == k]
        ax.scatter(*points.T, s=22, color=plots.COLOURS[k], marker=plots.MARKERS[k], label=class_words[k])
    ax.set(title=view, xticks=[], yticks=[], xlabel=f"{view} 1", ylabel=f"{view} 2")
accuracy = float(correct.mean())
print(words["linear_head"], percent(accuracy))
if views:
    axes[1].legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    claim("silhouette_is_low", silhouette[words["all_features"]])
claim("yet_a_line_tells_them_apart", 100 * accuracy)

# %% [markdown] lang="en"
# *Test images as points, by their features, drawn with PCA (left) and with t-SNE (right); up to six classes in colour.
# The axes have no unit.*
#
# On the left a muddle, on the right some groups. Which is true? Look at the numbers. By the silhouette the classes lie
# close together, in *all* the features too, not only on paper. And yet the linear head of section 1 gets most pictures
# right. A distance counts all features alike, those that have nothing to do with the class among them; a head weighs
# them. So **a muddle on paper does not mean that a classifier will fail, and neither does a low silhouette**. Use such
# figures to find questions, and answer them with a test.
#
# ## 8. A classical classifier on the features
#
# Features are a table of numbers, so any classifier for tables will do. With the same labelled pictures:
#
# - [**logistic regression**](../../docs/glossary.md#logistic-regression): a weighted sum for each class;
# - a [**support vector machine**](../../docs/glossary.md#support-vector-machine) (SVM) with the **RBF
#   [kernel](../../docs/glossary.md#kernel)** $\exp(-\gamma \lVert u - v \rVert^2)$, a likeness that fades with
#   distance: it keeps the pictures near the border between classes, and asks them;
# - [***k* nearest neighbours**](../../docs/glossary.md#k-nearest-neighbours) (kNN): keeps all pictures, and asks the
#   *k* most similar ones;
# - a small [**multi-layer perceptron**](../../docs/glossary.md#multi-layer-perceptron) (MLP): 64 hidden units with
#   ReLU, in {Framework}.
#
# Each is tried with several settings; those that do best on the held-out fifth are taken. All get the same labels, and
# each of the `DRAWS` draws labels other pictures. Which will be best?

# %% [markdown] lang="es"
# *Las imágenes de prueba como puntos, según sus características, dibujadas con PCA (izquierda) y con t-SNE (derecha);
# hasta seis clases en color. Los ejes no tienen unidad.*
#
# A la izquierda, confusión; a la derecha, algunos grupos. ¿Cuál dice la verdad? Mire los números. Según la silueta, las
# clases están muy juntas también con *todas* las características, no solo en el papel. Y aun así, la cabeza lineal de
# la sección 1 acierta con la mayoría de las imágenes. Una distancia cuenta todas las características por igual, también
# las que no tienen nada que ver con la clase; una cabeza las pondera. Por eso **la confusión en el papel no significa
# que un clasificador vaya a fallar, y una silueta baja tampoco**. Use estas figuras para encontrar preguntas, y
# respóndalas con una prueba.
#
# ## 8. Un clasificador clásico sobre las características
#
# Las características son una tabla de números, así que sirve cualquier clasificador para tablas. Con las mismas
# imágenes etiquetadas:
#
# - [**regresión logística**](../../docs/glosario.md#regresión-logística): una suma ponderada por clase;
# - una [**máquina de vectores de soporte**](../../docs/glosario.md#máquina-de-vectores-de-soporte) (SVM) con el
#   **[kernel](../../docs/glosario.md#kernel) RBF** $\exp(-\gamma \lVert u - v \rVert^2)$, un parecido que se desvanece
#   con la distancia: guarda las imágenes próximas a la frontera entre clases y les pregunta a ellas;
# - [***k* vecinos más cercanos**](../../docs/glosario.md#k-vecinos-más-cercanos) (kNN): guarda todas las imágenes y
#   pregunta a las *k* más parecidas;
# - un pequeño [**perceptrón multicapa**](../../docs/glosario.md#perceptrón-multicapa) (MLP): 64 unidades ocultas con
#   ReLU, en {Framework}.
#
# Cada uno se prueba con varios ajustes, y se toman los que mejor resultan con la quinta parte apartada. Todos reciben
# las mismas etiquetas, y cada uno de los `DRAWS` sorteos etiqueta otras imágenes. ¿Cuál será el mejor?


# %% framework="pytorch"
def make_mlp(dropout):
    return nn.Sequential(nn.Linear(size, 64), nn.ReLU(), nn.Dropout(dropout), nn.Linear(64, num_classes))


def fit_mlp(dropout, x, y, x_val, y_val, seed):
    """Trains an MLP on features; returns a function that gives its answers."""
    torch.manual_seed(seed)
    mlp = make_mlp(dropout).to(device)
    fit_head(mlp, x, y, x_val, y_val)

    def answers_of(features):
        with torch.inference_mode():
            return mlp.eval()(torch.from_numpy(features).to(device)).argmax(1).cpu().numpy()

    return answers_of


# %% framework="tensorflow"
def make_mlp(dropout):
    return keras.Sequential(
        [keras.Input((size,)), layers.Dense(64, "relu"), layers.Dropout(dropout), layers.Dense(num_classes)]
    )


def fit_mlp(dropout, x, y, x_val, y_val, seed):
    """Trains an MLP on features; returns a function that gives its answers."""
    keras.utils.set_random_seed(seed)
    mlp = make_mlp(dropout)
    fit_head(mlp, x, y, x_val, y_val)
    return lambda features: mlp.predict(features, verbose=0).argmax(1)


# %%
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

SETTINGS = {
    "logistic": [LogisticRegression(C=c, max_iter=2000) for c in (0.001, 0.01, 0.1, 1)],
    "svm": [SVC(C=c, kernel="rbf", gamma=g / size) for c in (1, 10, 100) for g in (0.1, 0.3, 1)],
    "knn": [KNeighborsClassifier(k, metric=m) for k in (1, 3, 5, 10) for m in ("euclidean", "cosine")],
    "mlp": [0.0, 0.5],  # dropout
}


def fit_best(method, x, y, x_val, y_val, seed):
    """Answers of the setting that does best on the held-out labels, and that setting."""
    tried = []
    for setting in SETTINGS[method]:
        if getattr(setting, "n_neighbors", 1) > len(x):
            continue
        if method == "mlp":
            answers_of = fit_mlp(setting, x, y, x_val, y_val, seed)
        else:
            answers_of = type(setting)(**setting.get_params()).fit(x, y).predict
        tried.append((np.mean(answers_of(x_val) == y_val), answers_of, setting))
    return max(tried, key=lambda one: one[0])[1:]


# %%
right = {method: [] for method in SETTINGS}
for draw_number in range(DRAWS):
    seed = 100 * SEED + draw_number
    x, y, x_val, y_val = draw_labelled(FEW_LABELS, seed)
    scaler = StandardScaler().fit(in_batches(features_of, x))
    x, x_val, x_test = (scaler.transform(in_batches(features_of, part)) for part in (x, x_val, test.images))
    for method in SETTINGS:
        answers_of, setting = fit_best(method, x, y, x_val, y_val, seed)
        right[method].append(answers_of(x_test) == test.labels)

# %%
estimates = {words[m]: metrics.accuracy_estimate([r.mean() for r in runs], len(test)) for m, runs in right.items()}
ax = plots.plot_estimates(estimates, language=LANGUAGE)
differences = {m: metrics.paired_difference(np.stack(right["logistic"]), np.stack(right[m])) for m in SETTINGS}
for method in list(SETTINGS)[1:]:
    print(f"{words[method]:>24}: {metrics.describe_difference(differences[method], LANGUAGE)}")
claim("none_beats_logistic_regression", 100 * max(differences[m].low for m in list(SETTINGS)[1:]))
claim("neighbours_are_behind", 100 * differences["knn"])

# %% [markdown] lang="en"
# *Test accuracy of four classifiers on the same frozen features: the mean over the draws, with its 95 % interval. Above
# the figure each is compared with logistic regression, draw by draw and image by image.*
#
# Where the interval contains zero, this test sees no difference, whatever the order of the points in the figure. So the
# SVM and the MLP, which can bend the border, do not do visibly better here than a weighted sum. kNN is behind. Like the
# silhouette, it goes by distances, and in these all features count alike. That cannot be all: the kernel of the SVM
# uses the same distances, but the SVM learns how much each picture counts.
#
# It is one data set, one backbone and few labels: with other features, or with thousands of labels, it may be
# otherwise. What can be said without a test is the size. Logistic regression keeps one number for each class and
# feature; kNN keeps the features of every picture.
#
# **Your turn (3).** kNN in {Framework}: for each new row of features, find the *k* labelled rows at the smallest
# Euclidean distance, and give the label that most of them have.

# %% [markdown] lang="es"
# *Exactitud en la prueba de cuatro clasificadores sobre las mismas características congeladas: la media de los sorteos,
# con su intervalo del 95 %. Las líneas de encima comparan cada uno con la regresión logística, sorteo por sorteo e
# imagen por imagen.*
#
# Donde el intervalo contiene el cero, esta prueba no ve ninguna diferencia, sea cual sea el orden de los puntos en la
# figura. Así, la SVM y el MLP, que pueden curvar la frontera, no aciertan aquí visiblemente más que una suma ponderada.
# kNN queda por detrás. Como la silueta, se guía por distancias, y en estas todas las características cuentan por igual.
# Eso no puede ser todo: el kernel de la SVM usa las mismas distancias, pero la SVM aprende cuánto cuenta cada imagen.
#
# Es un solo conjunto de datos, una sola red base y pocas etiquetas: con otras características, o con miles de
# etiquetas, puede ser distinto. Lo que se puede decir sin prueba es el tamaño. La regresión logística guarda un número
# por clase y característica; kNN guarda las características de todas las imágenes.
#
# **Le toca a usted (3).** kNN en {Framework}: para cada fila nueva de características, busque las *k* filas etiquetadas
# a menor distancia euclídea y dé la etiqueta que tiene la mayoría de ellas.


# %% framework="pytorch" tags=["folded"]
def check_knn(knn):
    rows = torch.from_numpy(np.random.default_rng(0).normal(size=(60, 4)).astype("float32"))
    labels = (rows[:, 0] + 1.2 * rows[:, 1] * rows[:, 2] > 0).long()
    new = torch.from_numpy(np.random.default_rng(1).normal(size=(40, 4)).astype("float32"))
    try:
        given = knn(rows, labels, new, 7)
    except (RuntimeError, IndexError, TypeError) as error:
        print("✘", words["knn_error"], str(error).splitlines()[0])
        return
    order = labels[torch.cdist(new, rows).argsort(1)].numpy()
    cases = {
        "right": order[:, :7].mean(1) > 0.5,
        "knn_only_one": order[:, 0],
        "knn_farthest": order[:, -7:].mean(1) > 0.5,
    }
    check_values(given.numpy() if isinstance(given, torch.Tensor) else given, cases, "knn_other")


# %% framework="tensorflow" tags=["folded"]
def check_knn(knn):
    rows = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
    labels = (rows[:, 0] + 1.2 * rows[:, 1] * rows[:, 2] > 0).astype("int64")
    new = np.random.default_rng(1).normal(size=(40, 4)).astype("float32")
    try:
        given = knn(tf.constant(rows), tf.constant(labels), tf.constant(new), 7)
    except (tf.errors.InvalidArgumentError, ValueError, TypeError, AttributeError) as error:
        print("✘", words["knn_error"], str(error).splitlines()[0])
        return
    order = labels[np.linalg.norm(new[:, None] - rows, axis=-1).argsort(1)]
    cases = {
        "right": order[:, :7].mean(1) > 0.5,
        "knn_only_one": order[:, 0],
        "knn_farthest": order[:, -7:].mean(1) > 0.5,
    }
    check_values(given if given is None else np.array(given), cases, "knn_other")


# %% framework="pytorch"
def knn(features, labels, new_features, k):
    """A label for each row of `new_features`, all of them tensors: `(n, d)`, `(n,)`, `(m, d)` → `(m,)`."""
    # write here


check_knn(knn)


# %% framework="tensorflow"
def knn(features, labels, new_features, k):
    """A label for each row of `new_features`, all of them tensors: `(n, d)`, `(n,)`, `(m, d)` → `(m,)`."""
    # write here


check_knn(knn)


# %% framework="pytorch" tags=["solution"]
def knn(features, labels, new_features, k):
    nearest = torch.cdist(new_features, features).topk(k, largest=False).indices
    return labels[nearest].mode(1).values


check_knn(knn)


# %% framework="tensorflow" tags=["solution"]
def knn(features, labels, new_features, k):
    distances = tf.norm(new_features[:, None] - features, axis=-1)
    nearest = tf.math.top_k(-distances, k).indices
    votes = tf.one_hot(tf.gather(labels, nearest), int(tf.reduce_max(labels)) + 1)
    return tf.argmax(tf.reduce_sum(votes, 1), axis=1)


check_knn(knn)

# %% [markdown] lang="en"
# ## What you can do now
#
# - Draw Grad-CAM with a gradient and the last maps, CAM with the head's weights, and the gradient of the pixels.
# - Ask of a map whether it could fail: against the centre, against another picture's map, against random weights. On
#   pictures with the animal in the middle, Grad-CAM was no better than the middle. In mosaics it found the right tile;
#   the plain gradient did not.
# - Remember that a map glows for wrong answers too, and for classes that are not there.
# - Put numbers beside a figure of features in two dimensions.
# - Choose a classifier for features with held-out labels, over several draws, and call what is inside the noise none.
#
# From the toolbox this lesson used `load_network`, `fit` and, in PyTorch, `freeze` and `replace_head`. It added no
# function: what it wrote fits into its own cells.
#
# ## Check yourself

# %% [markdown] lang="es"
# ## Lo que ya sabe hacer
#
# - Dibujar Grad-CAM con un gradiente y los últimos mapas, CAM con los pesos de la cabeza, y el gradiente de los
#   píxeles.
# - Preguntarse si un mapa podría no superar la prueba: frente al centro, frente al mapa de otra imagen, frente a pesos
#   al azar. En imágenes con el animal en medio, Grad-CAM no superó al centro. En los mosaicos encontró la casilla
#   correcta; el simple gradiente, no.
# - Recordar que un mapa brilla también para respuestas erróneas, y para clases que no están.
# - Poner números junto a una figura de características en dos dimensiones.
# - Elegir con etiquetas apartadas un clasificador para unas características, en varios sorteos, y no llamar diferencia
#   a lo que cabe en el ruido.
#
# De la caja de herramientas, esta lección ha usado `load_network`, `fit` y, en PyTorch, `freeze` y `replace_head`. No
# ha añadido ninguna función: lo que escribe cabe en sus propias celdas.
#
# ## Compruebe lo aprendido

# %%
show_quiz("02b_where_networks_look/after", LANGUAGE)

# %% [markdown] lang="en"
# ## Further reading
#
# - B. Zhou, A. Khosla, A. Lapedriza, A. Oliva and A. Torralba, "Learning deep features for discriminative
#   localization", *CVPR* 2016: CAM.
# - R. R. Selvaraju, M. Cogswell, A. Das, R. Vedantam, D. Parikh and D. Batra, "Grad-CAM: visual explanations from deep
#   networks via gradient-based localization", *ICCV* 2017.
# - K. Simonyan, A. Vedaldi and A. Zisserman, "Deep inside convolutional networks: visualising image classification
#   models and saliency maps", *ICLR Workshop* 2014 (on arXiv in 2013).
# - J. Adebayo, J. Gilmer, M. Muelly, I. Goodfellow, M. Hardt and B. Kim, "Sanity checks for saliency maps", *NeurIPS*
#   2018.
# - M. Böhle, M. Fritz and B. Schiele, "Convolutional dynamic alignment networks for interpretable classifications",
#   *CVPR* 2021: maps tested on grids of pictures.
# - M. Wattenberg, F. Viégas and I. Johnson, "How to use t-SNE effectively", *Distill* 2016.

# %% [markdown] lang="es"
# ## Para seguir leyendo
#
# - B. Zhou, A. Khosla, A. Lapedriza, A. Oliva y A. Torralba, «Learning deep features for discriminative localization»,
#   *CVPR* 2016: CAM.
# - R. R. Selvaraju, M. Cogswell, A. Das, R. Vedantam, D. Parikh y D. Batra, «Grad-CAM: visual explanations from deep
#   networks via gradient-based localization», *ICCV* 2017.
# - K. Simonyan, A. Vedaldi y A. Zisserman, «Deep inside convolutional networks: visualising image classification models
#   and saliency maps», *ICLR Workshop* 2014 (en arXiv, 2013).
# - J. Adebayo, J. Gilmer, M. Muelly, I. Goodfellow, M. Hardt y B. Kim, «Sanity checks for saliency maps», *NeurIPS*
#   2018.
# - M. Böhle, M. Fritz y B. Schiele, «Convolutional dynamic alignment networks for interpretable classifications»,
#   *CVPR* 2021: mapas puestos a prueba con cuadrículas de imágenes.
# - M. Wattenberg, F. Viégas e I. Johnson, «How to use t-SNE effectively», *Distill* 2016.
