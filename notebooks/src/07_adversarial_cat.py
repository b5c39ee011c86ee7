# %% [markdown] lang="en"
# # The ideal cat and the adversarial cat
#
# **{Framework}** · about 45 minutes · before this: [01 Cats and dogs](01_cats_vs_dogs_{framework}.ipynb).
#
# A network says "cat". What is a cat to it? And how little must change in a photo of a dog until it says "cat"? After
# this lesson you can write, in {Framework}:
#
# - a loop that draws the picture a network takes for an ideal cat or an ideal zebra, and a check of how far to believe
#   it;
# - an [attack](../../docs/glossary.md#adversarial-example) within a stated **budget**, and the proof on the saved file;
# - the measurement of what an attack survives, and whether it works on another network;
# - a fair test of a defence: against an attacker who knows it.

# %% [markdown] lang="es"
# # El gato ideal y el gato adversarial
#
# **{Framework}** · unos 45 minutos · antes: [01 Gatos y perros](01_cats_vs_dogs_{framework}.ipynb).
#
# Una red dice «gato». ¿Qué es un gato para ella? ¿Y cuánto hay que cambiar la foto de un perro para que diga «gato»? Al
# terminar esta lección sabrá escribir, en {Framework}:
#
# - un bucle que dibuja la imagen que una red toma por el gato ideal o la cebra ideal, y una comprobación de hasta qué
#   punto hay que creérsela;
# - un [ataque](../../docs/glosario.md#ejemplo-adversarial) con un **presupuesto** declarado, y la prueba con el archivo
#   guardado;
# - una medición: a qué sobrevive un ataque y si funciona con otra red;
# - una prueba justa de una defensa: contra un atacante que la conoce.

# %% tags=["parameters"]
SEED = 0
DATASET = "drawn_pets"  # cats and dogs for the attacks on many images; or "cats_vs_dogs", "oxford_pets_species"
BACKBONE = "mini_resnet"  # network under these attacks; or "efficientnet_lite0"
IMAGE_SIZE = 64  # side of the images, in pixels; what the backbone was trained at
OTHER_BACKBONE = "efficientnet_lite0"  # network that judges attacks made for the first; or "mini_resnet"
DOG_PHOTO = "../../docs/images/german_shepherd.jpg"  # or a photo of yours, of an animal that the network knows
STEPS = 150  # of the loop that draws an ideal image
ATTACK_STEPS = 10  # of an attack on many images
TEST_A_CLASS = 50  # images of each class that are attacked
TRAIN_A_CLASS = 100  # labelled images of each class to learn from
ROUNDS = 30  # at most so many rounds of fine-tuning, of 10 steps each
PATIENCE = 8  # rounds without a lower validation loss, after which fine-tuning stops

# %%
# %matplotlib inline
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.special import softmax

from tlhelpers import metrics, plots
from tlhelpers.data.datasets import load_splits
from tlhelpers.data.images import prepare as fit_photo
from tlhelpers.data.images import prepare_photo
from tlhelpers.numbers import percent
from tlhelpers.quiz import show_quiz
from tlhelpers.weights import imagenet_classes, tiny_imagenet_classes

show_quiz("07_adversarial_cat/before", LANGUAGE)

# %% framework="pytorch"
import copy
import io

import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from torchvision.transforms import v2

from tlhelpers.pytorch.heads import replace_head
from tlhelpers.pytorch.networks import load_network
from tlhelpers.pytorch.training import fit

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
print("PyTorch", torch.__version__, device)

# %% framework="tensorflow"
import io

import keras
import tensorflow as tf
from keras import layers

from tlhelpers.tensorflow.networks import load_network
from tlhelpers.tensorflow.training import fit

print("TensorFlow", tf.__version__, "Keras", keras.__version__, tf.config.list_logical_devices()[-1].device_type)

# %% [markdown] lang="en"
# ## 1. A network of a thousand words
#
# Our network is `efficientnet_lite0`. It learnt the thousand classes of [ImageNet](../../docs/glossary.md#imagenet)
# from more than a million photos of 224 pixels, several cats and a zebra among them. This lesson changes **pixels**, so
# we put the [preprocessing](../../docs/glossary.md#preprocessing) into the model: it takes pixels of 0 to 1 and gives
# [logits](../../docs/glossary.md#logits). Its [weights](../../docs/glossary.md#weights) will not change at all.
#
# A second network, `mini_resnet`, will be our **witness**: we shall ask whether it sees the same. It belongs to another
# family, looks at 64 pixels, and learnt from far fewer photos: those of Tiny ImageNet, a part of ImageNet with 202 of
# its classes. Three kinds of cat are among them, but no zebra.

# %% [markdown] lang="es"
# ## 1. Una red de mil palabras
#
# Nuestra red es `efficientnet_lite0`. Aprendió las mil clases de [ImageNet](../../docs/glosario.md#imagenet) con más
# de un millón de fotos de 224 píxeles; entre las clases hay varios gatos y una cebra. Esta lección cambia
# **píxeles**, así que metemos el [preprocesamiento](../../docs/glosario.md#preprocesamiento) en el modelo: recibe
# píxeles de 0 a 1 y da [logits](../../docs/glosario.md#logits). Los [pesos](../../docs/glosario.md#pesos) de la red
# no cambiarán en absoluto.
#
# Otra red, `mini_resnet`, será nuestra **testigo**: le preguntaremos si ve lo mismo. Es de otra familia, mira 64
# píxeles y aprendió con muchas menos fotos: las de Tiny ImageNet, una parte de ImageNet con 202 de sus clases. Entre
# ellas hay tres tipos de gato, pero ninguna cebra.


# %% framework="pytorch"
def on_pixels(name):
    """A network that takes pixels of 0 to 1, normalizes them itself, and gives logits; its weights stay as they are."""
    network, prepare = load_network(name)
    normalize = next(step for step in prepare.transforms if isinstance(step, v2.Normalize))
    model = nn.Sequential(normalize, network).eval().requires_grad_(False)
    return model.to(device, memory_format=torch.channels_last)


def pixels(images):
    """`(n, h, w, 3)` of 0 to 255 as a tensor `(n, 3, h, w)` of 0 to 1."""
    return torch.tensor(np.asarray(images), dtype=torch.float32, device=device).permute(0, 3, 1, 2) / 255


def to_images(x):
    """And back, rounded to whole levels, as a file holds them."""
    return (255 * x).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


# %% framework="tensorflow"
SIZES = {"mini_resnet": 64}  # side of the images that a network takes; the others take 224 pixels


def on_pixels(name, **options):
    """A network that takes pixels of 0 to 1, prepares them itself, and gives logits; its weights stay as they are."""
    size = SIZES.get(name, 224)
    network, prepare = load_network(name, size, **({"classifier_activation": None} | options))
    x = keras.Input((size, size, 3))
    model = keras.Model(x, network(prepare(255.0 * x)))
    model.trainable = False
    return model


def pixels(images):
    """`(n, h, w, 3)` of 0 to 255 as a tensor of 0 to 1."""
    return tf.constant(np.asarray(images, "float32") / 255)


def to_images(x):
    """And back, rounded to whole levels, as a file holds them."""
    return tf.cast(tf.clip_by_value(tf.round(255 * x), 0, 255), tf.uint8).numpy()


# %% framework="pytorch"
def outputs_of(model, images, batch=25):
    """What the model gives for pictures `(n, h, w, 3)` of 0 to 255, as an array."""
    with torch.inference_mode():
        parts = [model(pixels(images[i : i + batch])).cpu() for i in range(0, len(images), batch)]
    return torch.cat(parts).numpy()


model, witness = on_pixels("efficientnet_lite0"), on_pixels("mini_resnet")


# %% framework="tensorflow"
def outputs_of(model, images, batch=25):
    """What the model gives for pictures `(n, h, w, 3)` of 0 to 255, as an array."""
    parts = [model(pixels(images[i : i + batch]), training=False) for i in range(0, len(images), batch)]
    return np.concatenate(parts)


model, witness = on_pixels("efficientnet_lite0"), on_pixels("mini_resnet")

# %%
from skimage.data import chelsea

words_of = {1000: [name for _, name in imagenet_classes()], 202: [name for _, name in tiny_imagenet_classes()]}


def answers(model, images, top=3):
    """The most probable words for each picture, with their probabilities."""
    rows = softmax(outputs_of(model, images), axis=1)
    names = words_of[rows.shape[1]]
    return ["\n".join(f"{names[k]} {percent(row[k])}" for k in np.argsort(-row)[:top]) for row in rows]


cat = fit_photo(chelsea(), 224)[None]  # Chelsea, a real cat, from scikit-image
dog = prepare_photo(DOG_PHOTO, 224)[None]
both = np.concatenate([cat, dog])
axes = plots.show_images(both, answers(model, both), columns=2, side=1.5)

# %% [markdown] lang="en"
# *Two photos and the three most probable words of the network. It is sure of the dog. For the cat it hesitates between
# three kinds of cat, and the rest of the thousand words get hardly anything. (Cat: Chelsea, of the library
# scikit-image. Dog: photo by Hans Kemperman, public domain.)*
#
# What is between pixels and words? As in lesson 01 we look at the [feature maps](../../docs/glossary.md#feature-map) of
# some layers, this time those of a large network on a real cat.

# %% [markdown] lang="es"
# *Dos fotos y las tres palabras más probables de la red (en inglés). Con el perro está segura. Con la gata duda entre
# tres tipos de gato, y al resto de las mil palabras no le queda casi nada. (Gata: Chelsea, de la biblioteca
# scikit-image. Perro: foto de Hans Kemperman, de dominio público).*
#
# ¿Qué hay entre los píxeles y las palabras? Como en la lección 01, miramos los [mapas de
# características](../../docs/glosario.md#mapa-de-características) de algunas capas, esta vez los de una red grande ante
# una gata de verdad.

# %% framework="pytorch"
maps, hooks = {}, []
for name in ("bn1", "blocks.2", "blocks.6"):
    hook = (
        model[1]
        .get_submodule(name)
        .register_forward_hook(
            lambda part, inputs, output, name=name: maps.update({name: output[0].permute(1, 2, 0).cpu().numpy()})
        )
    )
    hooks.append(hook)
outputs_of(model, cat)
for hook in hooks:
    hook.remove()
axes = plots.show_feature_maps(maps, side=0.8)

# %% framework="tensorflow"
network, prepare = load_network("efficientnet_lite0", 224)
names = ("bn1.act", "blocks.2", "blocks.6")
inside = keras.Model(network.input, [network.get_layer(name).output for name in names])
maps = {name: np.asarray(output[0]) for name, output in zip(names, inside(prepare(cat.astype("float32"))))}
axes = plots.show_feature_maps(maps, side=0.8)

# %% [markdown] lang="en"
# *Six maps of each of three layers, from early (above) to late. At first the network keeps edges and the fine pattern
# of the fur. In the last row 7 × 7 numbers are left, and they say that something is there, such as an ear or a nose,
# and roughly where.*
#
# From such maps a person can hardly read what "cat" means to the network. So let us ask it for a picture.
#
# ## 2. The ideal cat
#
# Training changes the weights so that the right score grows. Let us turn that round: the weights stay, and **the
# image** changes, so that the score of one class grows. We start from faint noise and follow the
# [gradient](../../docs/glossary.md#gradient) of the [loss](../../docs/glossary.md#loss) with respect to the pixels. The
# [optimizer](../../docs/glossary.md#optimizer) is the one that trains networks, Adam; what it moves is the picture.
#
# What do you expect to see, once the network is sure that this is a cat?

# %% [markdown] lang="es"
# *Seis mapas de cada una de tres capas, de las primeras (arriba) a las últimas. Al principio la red conserva los bordes
# y el dibujo fino del pelo. En la última fila quedan 7 × 7 números, que dicen que algo está ahí, como una oreja o un
# hocico, y más o menos dónde.*
#
# En esos mapas una persona apenas puede leer qué es «gato» para la red. Así que pidámosle una imagen.
#
# ## 2. El gato ideal
#
# Entrenar es cambiar los pesos para que crezca la puntuación correcta. Démosle la vuelta: los pesos se quedan quietos y
# cambia **la imagen**, para que crezca la puntuación de una clase. Partimos de un ruido tenue y seguimos el
# [gradiente](../../docs/glosario.md#gradiente) de la [pérdida](../../docs/glosario.md#función-de-pérdida) con respecto
# a los píxeles. El [optimizador](../../docs/glosario.md#optimizador) es el mismo que entrena redes, Adam; lo que mueve
# es la imagen.
#
# ¿Qué espera ver cuando la red esté segura de que es un gato?

# %% framework="pytorch"
CAT, ZEBRA = words_of[1000].index("tabby"), words_of[1000].index("zebra")

torch.manual_seed(SEED)
image = (0.5 + 0.01 * torch.randn(1, 3, 224, 224)).to(device).requires_grad_()
optimizer = optim.Adam([image], lr=0.02)
for _ in range(STEPS):
    loss = -model(image)[0, CAT]  # up the logit of the class
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        image.clamp_(0, 1)
plain = to_images(image.detach())

# %% framework="tensorflow"
CAT, ZEBRA = words_of[1000].index("tabby"), words_of[1000].index("zebra")

keras.utils.set_random_seed(SEED)
image = keras.Variable(0.5 + 0.01 * tf.random.normal((1, 224, 224, 3)))
optimizer = keras.optimizers.Adam(0.02)
optimizer.build([image])


@tf.function  # turned into a graph once, at the first call: several times as fast
def climb():
    with tf.GradientTape() as tape:
        loss = -model(image, training=False)[0, CAT]  # up the logit of the class
    optimizer.apply_gradients([(tape.gradient(loss, image), image)])
    image.assign(tf.clip_by_value(image, 0, 1))


for _ in range(STEPS):
    climb()
plain = to_images(image.value)


# %%
def resized(images, size):
    """Pictures at another size."""
    bilinear = Image.Resampling.BILINEAR
    return np.stack([np.asarray(Image.fromarray(image).resize((size, size), bilinear)) for image in images])


def by_witness(image, name):
    """Mean probability of a class in nine overlapping windows of half the picture's side, scaled to 64 pixels."""
    windows = [image[y : y + 112, x : x + 112] for y in (0, 56, 112) for x in (0, 56, 112)]
    return softmax(outputs_of(witness, resized(windows, 64)), axis=1)[:, words_of[202].index(name)].mean()


sure = softmax(outputs_of(model, plain), axis=1)[0, CAT]
axes = plots.show_images(plain, answers(model, plain, 1), side=1.4)
print(f"efficientnet_lite0: {percent(sure)}, mini_resnet: {percent(by_witness(plain[0], 'tabby'), 5)}")
claim("noise_is_a_cat", 100 * sure)

# %% [markdown] lang="en"
# *What the network is sure about. The eye sees coloured noise.*
#
# So a high probability is not yet a picture of a cat. The network was trained on photos; nobody ever asked it about
# noise, and there its scores mean little. The witness does not see a cat either. **What only one network believes in
# tells about that network, not about cats.**
#
# ### Three remedies
#
# We make it harder for the loop to succeed with noise.
#
# 1. **Total variation.** The mean difference between neighbouring pixels is large for noise and small for photos. We
#    add it to the loss, with a weight $\lambda$:
#
#    $$L(x) = -s_c(x) + \lambda \, \mathrm{TV}(x)$$
#
#    Here $x$ is the image, $c$ the class, and $s_c(x)$ its logit.
# 2. **Jitter.** Before each step the image is shifted at random by up to 16 pixels. What works at one place only is
#    lost.
# 3. **Coarse to fine.** We do not move the pixels themselves. The image is a sum of six pictures, of 7 × 7 up to
#    224 × 224 pixels, all scaled up to 224. So one step can change a large shape as well as a hair. Their three
#    channels are brightness, warm against cold, and green against purple. Brightness gets the most weight, as in
#    photos, where red, green and blue mostly rise and fall together.
#
# **Your turn (1).** Write the total variation: the mean of the absolute differences between each pixel and the one
# below it, plus the same with the one to its right. The check says what is missing; a solution is folded below, and the
# lesson goes on with it.

# %% [markdown] lang="es"
# *Aquello de lo que la red está segura. El ojo ve ruido de colores.*
#
# Así que una probabilidad alta todavía no es la imagen de un gato. La red se entrenó con fotos; nadie le preguntó nunca
# por ruido, y ahí sus puntuaciones significan poco. La testigo tampoco ve un gato. **Aquello en lo que solo cree una
# red habla de esa red, no de los gatos.**
#
# ### Tres remedios
#
# Hagamos que al bucle le cueste más salirse con la suya a base de ruido.
#
# 1. **Variación total.** La diferencia media entre píxeles vecinos es grande en el ruido y pequeña en las fotos. La
#    sumamos a la pérdida, con un peso $\lambda$:
#
#    $$L(x) = -s_c(x) + \lambda \, \mathrm{TV}(x)$$
#
#    Aquí $x$ es la imagen, $c$ la clase y $s_c(x)$ su logit.
# 2. **Temblor** (*jitter*). Antes de cada paso la imagen se desplaza al azar hasta 16 píxeles. Lo que solo funciona en
#    un sitio se pierde.
# 3. **De lo grueso a lo fino.** No movemos los píxeles directamente. La imagen es la suma de seis imágenes, de 7 × 7 a
#    224 × 224 píxeles, todas ampliadas a 224. Así un paso puede cambiar tanto una forma grande como un pelo. Sus tres
#    canales son el brillo, cálido frente a frío y verde frente a púrpura. El brillo pesa más, como en las fotos, donde
#    el rojo, el verde y el azul suelen subir y bajar juntos.
#
# **Le toca a usted (1).** Escriba la variación total: la media de las diferencias absolutas entre cada píxel y el de
# abajo, más lo mismo con el de la derecha. La comprobación le dice qué falta; debajo hay una solución plegada, y la
# lección sigue con ella.


# %% tags=["folded"]
def check_variation_value(found, down, right):
    wanted = np.abs(down).mean() + np.abs(right).mean()
    meant = {
        "right": wanted, "signed": down.mean() + right.mean(), "summed": np.abs(down).sum() + np.abs(right).sum(),
        "squared": (down**2).mean() + (right**2).mean(), "one_way": np.abs(down).mean(),
    } | {"one_way ": np.abs(right).mean(), "halved": wanted / 2}  # fmt: skip
    close = [key.strip() for key, value in meant.items() if abs(found - value) < 1e-4 * abs(value) + 1e-6]
    print("✔" if close == ["right"] else "✘", words[close[0] if close else "other_number"], *([] if close else [found]))


# %% framework="pytorch" tags=["folded"]
def check_variation(total_variation):
    torch.manual_seed(0)
    x = torch.rand(2, 3, 5, 7, requires_grad=True)
    down, right = (x[:, :, 1:] - x[:, :, :-1]), (x[:, :, :, 1:] - x[:, :, :, :-1])
    found = total_variation(x)
    if not isinstance(found, torch.Tensor) or found.ndim:
        print("✘", words["no_number"])
    elif not found.requires_grad:
        print("✘", words["no_gradient"])
    else:
        check_variation_value(float(found.detach()), down.detach().numpy(), right.detach().numpy())


# %% framework="tensorflow" tags=["folded"]
def check_variation(total_variation):
    x = tf.random.stateless_uniform((2, 5, 7, 3), seed=(0, 0))
    down, right = (x[:, 1:] - x[:, :-1]), (x[:, :, 1:] - x[:, :, :-1])
    with tf.GradientTape() as tape:
        tape.watch(x)
        found = total_variation(x)
    if found is None or np.ndim(found):
        print("✘", words["no_number"])
    elif not tf.is_tensor(found) or tape.gradient(found, x) is None:
        print("✘", words["no_gradient"])
    else:
        check_variation_value(float(found), down.numpy(), right.numpy())


# %% framework="pytorch"
def total_variation(x):
    """One number for images `(n, 3, h, w)`."""
    # write here


check_variation(total_variation)


# %% framework="tensorflow"
def total_variation(x):
    """One number for images `(n, h, w, 3)`."""
    # write here


check_variation(total_variation)


# %% framework="pytorch" tags=["solution"]
def total_variation(x):
    down, right = x[:, :, 1:] - x[:, :, :-1], x[:, :, :, 1:] - x[:, :, :, :-1]
    return down.abs().mean() + right.abs().mean()


check_variation(total_variation)


# %% framework="tensorflow" tags=["solution"]
def total_variation(x):
    down, right = x[:, 1:] - x[:, :-1], x[:, :, 1:] - x[:, :, :-1]
    return tf.reduce_mean(tf.abs(down)) + tf.reduce_mean(tf.abs(right))


check_variation(total_variation)

# %% [markdown] lang="en"
# Here is the whole loop. `paint` makes the image, `ideal_image` improves it.

# %% [markdown] lang="es"
# Este es el bucle completo. `paint` compone la imagen, `ideal_image` la mejora.

# %% framework="pytorch"
COLOURS = torch.tensor([[0.6, 0.6, 0.6], [0.2, 0.0, -0.2], [0.05, -0.1, 0.05]], device=device)


def paint(layers):
    """Pictures of several sizes, scaled up and added; brightness and two colour axes become red, green and blue."""
    total = sum(F.interpolate(layer, size=224, mode="bilinear") for layer in layers)
    return (0.5 + torch.einsum("nchw,cd->ndhw", total, COLOURS)).clamp(0, 1)


def ideal_image(model, target, steps=STEPS, variation=400, jitter=16, seed=SEED):
    torch.manual_seed(seed)
    layers = [(0.01 * torch.randn(1, 3, n, n)).to(device).requires_grad_() for n in (7, 14, 28, 56, 112, 224)]
    optimizer = optim.Adam(layers, lr=0.01)
    for _ in range(steps):
        image = paint(layers)
        shift = torch.randint(-jitter, jitter + 1, (2,)).tolist()
        score = model(image.roll(shift, (2, 3)))[0, target]
        loss = -score + variation * total_variation(image)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return to_images(paint(layers).detach())


# %% framework="tensorflow"
COLOURS = tf.constant([[0.6, 0.6, 0.6], [0.2, 0.0, -0.2], [0.05, -0.1, 0.05]])


def paint(layers):
    """Pictures of several sizes, scaled up and added; brightness and two colour axes become red, green and blue."""
    return tf.clip_by_value(0.5 + sum(tf.image.resize(layer, (224, 224)) for layer in layers) @ COLOURS, 0, 1)


def ideal_image(model, target, steps=STEPS, variation=400, jitter=16, seed=SEED):
    keras.utils.set_random_seed(seed)
    layers = [keras.Variable(0.01 * tf.random.normal((1, n, n, 3))) for n in (7, 14, 28, 56, 112, 224)]
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(layers)

    @tf.function
    def climb():
        with tf.GradientTape() as tape:
            image = paint(layers)
            shift = tf.random.uniform((2,), -jitter, jitter + 1, tf.int32)
            loss = variation * total_variation(image) - model(tf.roll(image, shift, (1, 2)), training=False)[0, target]
        optimizer.apply_gradients(zip(tape.gradient(loss, layers), layers))

    for _ in range(steps):
        climb()
    return to_images(paint(layers))


# %%
ideal_cat, ideal_zebra = ideal_image(model, CAT), ideal_image(model, ZEBRA)
ideals = np.concatenate([ideal_cat, ideal_zebra])
axes = plots.show_images(ideals, answers(model, ideals, 1), columns=2, side=2.1)
sure = {k: softmax(outputs_of(model, image), axis=1)[0, k] for k, image in ((CAT, ideal_cat), (ZEBRA, ideal_zebra))}
opinions = {"plain": plain, "ideal_cat": ideal_cat, "ideal_zebra": ideal_zebra, "chelsea": cat}
for key, images in opinions.items():
    opinions[key] = by_witness(images[0], "tabby")
    whole = softmax(outputs_of(witness, resized(images, 64)), axis=1)[0, words_of[202].index("tabby")]
    print(f"{words[key]:>16}: {percent(opinions[key], 5)} {words['windows']}, {percent(whole, 5)} {words['whole']}")
claim("ideal_cat", 100 * sure[CAT])
claim("ideal_zebra", 100 * sure[ZEBRA])
claim("witness_agrees", opinions["ideal_cat"] / opinions["plain"])

# %% [markdown] lang="en"
# *Above: the ideal tabby cat and the ideal zebra, each with the network's best word. Below, what the
# witness gives the word "tabby": the mean over nine windows of the picture, and for the picture as a whole.*
#
# The ideal cat is no portrait. It is a pattern of what the network looks for, in more than one place: striped fur,
# noses, paws. Look for them, and for the zebras. Here and there an eye is where no eye should be: to this network it
# matters *that* there is one, not where.
#
# Does the witness agree? It has never seen our network, and to the word "tabby" it gives far more with the ideal cat
# than with the noise. Before you believe that, look at the **control**: what does it give the ideal *zebra*? In six
# draws of ours, three seeds in each framework, the cat got 460 to 12 000 times as much as the noise, but only 0.5 to 17
# times as much as the zebra, and twice it got less. So the witness tells a picture with shapes and textures from noise.
# That it sees a cat in it, one draw does not show. For the photo of a real cat its number is higher still. (About the
# zebra it can say nothing: it has no such class.)
#
# So we called a third network, `efficientnet_lite1`, which has both words. It is larger and was trained by itself, but
# it belongs to our network's own family. To our zebra it gave "zebra" with 91 %, ten thousand times as much as to noise
# that was made for the zebra; to our cat "tabby" with 17 %, 830 times as much as to the noise. And crosswise? "Zebra"
# for the cat was 26 times the noise, "tabby" for the zebra a fifth of it. This witness does tell the two apart. One of
# another family that has both words is ResNet-50 of torchvision or of `keras.applications`, a download.
#
# A test that any picture passes proves little. Without the third line we might have reported a second network that
# "sees the cat, too".
#
# ## 3. A dog becomes a cat
#
# Now the other question. We take a photo that the network gets right, and change it **as little as possible**, until
# the answer is wrong. What is little? That has to be said before, as a number, the **budget** $\varepsilon$: no value
# of any pixel may change by more than $\varepsilon$. (This is the *maximum norm* of the change.) A file has whole
# levels from 0 to 255, so we count in levels: $\varepsilon = 4/255$ is four levels.
#
# **One step** is the fast gradient sign method (FGSM):
#
# $$x' = x + \varepsilon \, \operatorname{sign}\big(\nabla_x \ell(x, y)\big)$$
#
# Here $x$ is the image, $y$ its class, $\ell$ the [cross-entropy](../../docs/glossary.md#cross-entropy), and
# $\nabla_x \ell$ its gradient: how each value of each pixel changes the loss. Every value moves by the whole budget, in
# the direction that makes the loss grow.

# %% [markdown] lang="es"
# *Arriba: el gato atigrado (en inglés «tabby») ideal y la cebra ideal, cada uno con la mejor palabra de la red.
# Debajo, lo que la testigo da a la palabra «tabby»: la media de nueve ventanas de la imagen y el valor de la imagen
# entera.*
#
# El gato ideal no es un retrato. Es un muestrario de lo que la red busca, en más de un sitio: pelo a rayas, hocicos,
# patas. Búsquelos, y busque las cebras. Aquí y allá hay un ojo donde no debería haberlo: para esta red cuenta *que*
# lo haya, no dónde.
#
# ¿Está de acuerdo la testigo? No conoce nuestra red, y a la palabra «tabby» le da con el gato ideal mucho más que con
# el ruido. Antes de creérselo, mire el **control**: ¿qué le da con la *cebra* ideal? En seis intentos nuestros, tres
# semillas en cada biblioteca, con el gato le dio de 460 a 12 000 veces lo que con el ruido, pero solo de 0.5 a 17 veces
# lo que con la cebra, y dos veces le dio menos. Así que la testigo distingue del ruido una imagen con formas y
# texturas. Que vea en ella un gato, un solo intento no lo muestra. Con la foto de una gata de verdad, su número es
# mayor aún. (De la cebra no puede decir nada: no tiene esa clase).
#
# Por eso llamamos a una tercera red, `efficientnet_lite1`, que tiene las dos palabras. Es mayor y se entrenó por su
# cuenta, pero es de la misma familia que la nuestra. A nuestra cebra le dio «cebra» con el 91 %, diez mil veces lo que
# al ruido hecho para la cebra; a nuestro gato, «tabby» con el 17 %, 830 veces lo que al ruido. ¿Y cruzadas? «Cebra»
# para el gato fue 26 veces lo del ruido; «tabby» para la cebra, la quinta parte. Esta testigo sí distingue entre las
# dos. Una de otra familia que tiene las dos palabras es la ResNet-50 de torchvision o de `keras.applications`, que hay
# que descargar.
#
# Una prueba que cualquier imagen supera demuestra poco. Sin la tercera línea, podríamos haber escrito que otra red
# «también ve el gato».
#
# ## 3. Un perro se vuelve gato
#
# Ahora la otra pregunta. Tomamos una foto en la que la red acierta y la cambiamos **lo menos posible**, hasta que la
# respuesta sea errónea. ¿Qué es poco? Hay que decirlo antes, con un número, el **presupuesto** $\varepsilon$: ningún
# valor de ningún píxel puede cambiar más de $\varepsilon$. (Es la *norma del máximo* del cambio). Un archivo tiene
# niveles enteros de 0 a 255, así que contamos en niveles: $\varepsilon = 4/255$ son cuatro niveles.
#
# **Un solo paso** es el método del signo del gradiente (FGSM, *fast gradient sign method*):
#
# $$x' = x + \varepsilon \, \operatorname{sign}\big(\nabla_x \ell(x, y)\big)$$
#
# Aquí $x$ es la imagen, $y$ su clase, $\ell$ la [entropía cruzada](../../docs/glosario.md#entropía-cruzada) y
# $\nabla_x \ell$ su gradiente: cómo cambia la pérdida con cada valor de cada píxel. Cada valor se mueve todo lo que
# permite el presupuesto, en la dirección que aumenta la pérdida.


# %% framework="pytorch"
def loss_gradient(model, x, labels):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(model(x), labels), x)[0]


def fgsm(model, x, labels, epsilon):
    return (x + epsilon * loss_gradient(model, x, labels).sign()).clamp(0, 1)


x, label = pixels(dog), torch.tensor([words_of[1000].index("German shepherd")], device=device)
one_step = to_images(fgsm(model, x, label, 4 / 255))
print(answers(model, one_step, 2))


# %% framework="tensorflow"
@tf.function
def loss_gradient(model, x, labels):
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = keras.losses.sparse_categorical_crossentropy(labels, model(x, training=False), from_logits=True)
    return tape.gradient(loss, x)


def fgsm(model, x, labels, epsilon):
    return tf.clip_by_value(x + epsilon * tf.sign(loss_gradient(model, x, labels)), 0, 1)


x, label = pixels(dog), tf.constant([words_of[1000].index("German shepherd")])
one_step = to_images(fgsm(model, x, label, 4 / 255))
print(answers(model, one_step, 2))

# %% [markdown] lang="en"
# One step is a blunt tool: the gradient is that of the unharmed photo, and on the way it changes. **Projected gradient
# descent** (PGD) takes many smaller steps. It asks for the gradient anew each time, and after each step it goes back
# into the budget (that is the projection). It starts at a random place in the budget.
#
# With `sign=-1` the attack is **targeted**: `labels` are then the classes that we want, and their loss goes *down*.

# %% [markdown] lang="es"
# Un solo paso es una herramienta tosca: el gradiente es el de la foto intacta, y por el camino cambia. El **descenso de
# gradiente proyectado** (PGD, *projected gradient descent*) da muchos pasos más pequeños. Cada vez pide el gradiente de
# nuevo, y tras cada paso vuelve a entrar en el presupuesto (esa es la proyección). Empieza en un punto al azar dentro
# del presupuesto.
#
# Con `sign=-1` el ataque es **dirigido**: `labels` son entonces las clases que queremos, y su pérdida *disminuye*.


# %% framework="pytorch"
def pgd(model, x, labels, epsilon, steps, sign=1):
    attacked = (x + epsilon * (2 * torch.rand_like(x) - 1)).clamp(0, 1)
    for _ in range(steps):
        attacked = attacked + sign * 2.5 * epsilon / steps * loss_gradient(model, attacked, labels).sign()
        attacked = attacked.clamp(x - epsilon, x + epsilon).clamp(0, 1)  # back into the budget, and into the picture
    return attacked


def attack(model, images, labels, levels, steps=ATTACK_STEPS, sign=1, how=pgd):
    """PGD on pictures of 0 to 255, in batches, rounded as a file would; `how=fgsm` for one step."""
    torch.manual_seed(SEED)
    found = []
    for i in range(0, len(images), 25):
        x, y = pixels(images[i : i + 25]), torch.tensor(labels[i : i + 25], device=device)
        options = (steps, sign) if how is pgd else ()
        found.append(to_images(how(model, x, y, levels / 255, *options)))
    return np.concatenate(found)


# %% framework="tensorflow"
def pgd(model, x, labels, epsilon, steps, sign=1):
    attacked = tf.clip_by_value(x + tf.random.uniform(x.shape, -epsilon, epsilon), 0, 1)
    for _ in range(steps):
        attacked = attacked + sign * 2.5 * epsilon / steps * tf.sign(loss_gradient(model, attacked, labels))
        attacked = tf.clip_by_value(attacked, x - epsilon, x + epsilon)  # back into the budget ...
        attacked = tf.clip_by_value(attacked, 0, 1)  # ... and into the picture
    return attacked


def attack(model, images, labels, levels, steps=ATTACK_STEPS, sign=1, how=pgd):
    """PGD on pictures of 0 to 255, in batches, rounded as a file would; `how=fgsm` for one step."""
    keras.utils.set_random_seed(SEED)
    found = []
    for i in range(0, len(images), 25):
        x, y = pixels(images[i : i + 25]), tf.constant(labels[i : i + 25])
        options = (steps, sign) if how is pgd else ()
        found.append(to_images(how(model, x, y, levels / 255, *options)))
    return np.concatenate(found)


# %% [markdown] lang="en"
# Let us make the dog a tabby cat. What counts is the **file**: a picture in memory may hold values that no file can
# hold. So we save the result as PNG, which loses nothing, read it back, and ask again.

# %% [markdown] lang="es"
# Convirtamos al perro en un gato atigrado. Lo que cuenta es el **archivo**: una imagen en memoria puede contener
# valores que no caben en ningún archivo. Por eso guardamos el resultado en PNG, que no pierde nada, lo volvemos a leer
# y preguntamos otra vez.

# %%
from skimage.metrics import structural_similarity

folder = Path(tempfile.mkdtemp())
Image.fromarray(attack(model, dog, np.array([CAT]), 4, steps=40, sign=-1)[0]).save(folder / "dog.png")
read_back = np.asarray(Image.open(folder / "dog.png"))[None]

change = read_back.astype(int) - dog
shown = np.concatenate([dog, (128 + 20 * change).clip(0, 255).astype(np.uint8), read_back])
titles = [answers(model, dog, 2)[0], f"{words['added']}\n× 20", answers(model, read_back, 2)[0]]
axes = plots.show_images(shown, titles, columns=3, side=1.5)
fooled = softmax(outputs_of(model, read_back), axis=1)[0, CAT]
similarity = structural_similarity(dog[0], read_back[0], channel_axis=2)
print(f"{words['largest']}: {np.abs(change).max()}, SSIM {similarity:.3f}")
for text in answers(witness, resized(shown[[0, 2]], 64), 2):
    print("mini_resnet:", text.replace("\n", ", "))
claim("file_fools", 100 * fooled)

# %% [markdown] lang="en"
# *Left the photo, right the saved file that was read back, both with the network's two best words. In the middle what
# was added, 20 times as strong; grey means no change. Below, the witness's words for both pictures.*
#
# Can you tell the two dogs apart? You are the judge here. The number SSIM, **structural similarity**, is often shown
# with such pictures. In small windows it compares the means, the spread and the correlation of the pixels; 1 means
# equal. It measures how alike two files are. It is no eye, and does not know what a person would notice.
#
# The witness is not fooled at all. The attack was made for one network; section 5 comes back to that.
#
# **Your turn (2).** Write the targeted form of one step: every value moves by `epsilon`, such that the loss of the
# wanted classes goes down, and the result stays between 0 and 1. Write it without the functions above.

# %% [markdown] lang="es"
# *A la izquierda la foto, a la derecha el archivo guardado y vuelto a leer, ambos con las dos mejores palabras de la
# red. En medio, lo añadido, 20 veces más fuerte; el gris significa «sin cambio». Debajo, las palabras de la testigo
# para las dos imágenes.*
#
# ¿Distingue los dos perros? Aquí el juez es usted. Junto a imágenes así suele darse un número, la **similitud
# estructural** (SSIM). En ventanas pequeñas compara la media, la dispersión y la correlación de los píxeles; 1
# significa que son iguales. Mide cuánto se parecen dos archivos. No es un ojo, y no sabe qué notaría una persona.
#
# A la testigo no se la engaña en absoluto. El ataque se hizo para una sola red; la sección 5 vuelve sobre ello.
#
# **Le toca a usted (2).** Escriba la forma dirigida de un solo paso: cada valor se mueve `epsilon`, de modo que
# disminuya la pérdida de las clases que se quieren, y el resultado queda entre 0 y 1. Escríbalo sin las funciones de
# arriba.


# %% tags=["folded"]
def check_step_taken(x, found, gradient):
    wanted = x - 0.02 * np.sign(gradient)
    if np.allclose(found, wanted.clip(0, 1), atol=1e-5):
        print("✔", words["right"])
    elif np.allclose(found, wanted, atol=1e-5):
        print("✘", words["out_of_range"])
    elif np.allclose(found[1:], (2 * x - wanted)[1:], atol=1e-5):
        print("✘", words["went_away"])
    else:
        print("✘", words["not_whole_step"], f"{np.abs(found - x).min():.4f} – {np.abs(found - x).max():.4f}")


# %% framework="pytorch" tags=["folded"]
def check_step(step_towards):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 5))
    x, targets = 0.1 + 0.8 * torch.rand(6, 3, 4, 4), torch.tensor([0, 1, 2, 3, 4, 0])
    x[0] = 1.0  # there a step may leave the range
    free = x.clone().requires_grad_()
    gradient = torch.autograd.grad(F.cross_entropy(net(free), targets), free)[0].numpy()
    given = x.clone()
    found = step_towards(net, given, targets, 0.02)
    if not isinstance(found, torch.Tensor) or found.shape != x.shape:
        print("✘", words["no_images"])
    elif not torch.equal(given.detach(), x):
        print("✘", words["given_changed"])
    else:
        check_step_taken(x.numpy(), found.detach().numpy(), gradient)


# %% framework="tensorflow" tags=["folded"]
def check_step(step_towards):
    keras.utils.set_random_seed(0)
    net = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(5)])
    x = np.random.default_rng(0).uniform(0.1, 0.9, (6, 4, 4, 3)).astype("float32")
    x[0] = 1.0  # there a step may leave the range
    targets = tf.constant([0, 1, 2, 3, 4, 0])
    free = tf.Variable(x)
    with tf.GradientTape() as tape:
        loss = keras.losses.sparse_categorical_crossentropy(targets, net(free), from_logits=True)
    gradient = tape.gradient(loss, free).numpy()
    found = step_towards(net, tf.constant(x), targets, 0.02)
    if found is None or np.shape(found) != x.shape:
        print("✘", words["no_images"])
    else:
        check_step_taken(x, np.asarray(found), gradient)


# %%
def step_towards(net, x, targets, epsilon):
    """Images `x` of 0 to 1, one step nearer to the classes `targets`; `net` gives logits."""
    # write here


check_step(step_towards)


# %% framework="pytorch" tags=["solution"]
def step_towards(net, x, targets, epsilon):
    x = x.clone().requires_grad_()
    loss = F.cross_entropy(net(x), targets)
    loss.backward()
    return (x - epsilon * x.grad.sign()).clamp(0, 1).detach()


check_step(step_towards)


# %% framework="tensorflow" tags=["solution"]
def step_towards(net, x, targets, epsilon):
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = keras.losses.sparse_categorical_crossentropy(targets, net(x), from_logits=True)
    return tf.clip_by_value(x - epsilon * tf.sign(tape.gradient(loss, x)), 0, 1)


check_step(step_towards)

# %% [markdown] lang="en"
# ### Any error, or a certain one?
#
# Which is easier: to get *some* wrong word out of the network, or "tabby"? And how far can the budget go before you see
# the change? Guess, then move the slider. (In a page without a kernel it stands still; the lines below have all
# numbers.)

# %% [markdown] lang="es"
# ### ¿Un error cualquiera o uno concreto?
#
# ¿Qué es más fácil: sacarle a la red *alguna* palabra errónea, o «tabby»? ¿Y hasta dónde puede llegar el presupuesto
# antes de que se vea el cambio? Haga su apuesta y mueva el control deslizante. (En una página sin kernel no se mueve;
# las líneas de debajo tienen todos los números).

# %%
from tlhelpers.widgets import explore

levels, pairs = (1, 2, 4, 16), {}
shepherd = np.array([words_of[1000].index("German shepherd")])
for level in levels:
    pairs[level] = np.concatenate(
        [attack(model, dog, shepherd, level), attack(model, dog, np.array([CAT]), level, sign=-1)]
    )
    print(f"{level:>3}:", " | ".join(text.replace("\n", ", ") for text in answers(model, pairs[level], 2)))


def show_level(level):
    titles = [f"{words[key]}\n{text}" for key, text in zip(("any", "tabby"), answers(model, pairs[level], 1))]
    return plots.show_images(pairs[level], titles, columns=2, side=1.5)[0, 0]


explore({words["levels"]: levels}, show_level)

# %% [markdown] lang="en"
# *Left the attack that wants any error, right the one that wants a tabby, ten steps each. Each line gives the level and
# the two best words for both.*
#
# At one level the network hesitates already, in both cases. The attack that wants any error takes the nearest wrong
# word, mostly another breed of dog or an animal with such a coat. From dog to "tabby" one would think it farther. On
# this photo it is not: at one level "tabby" is already the first word, and at two the network is nearly sure. One photo
# shows that it is possible. How often an attack succeeds is another question.
#
# ## 4. How often? A curve over many images
#
# One picture proves little. So we build the classifier of lesson 01, a frozen
# [backbone](../../docs/glossary.md#backbone) with a new [head](../../docs/glossary.md#head) for cat and dog, and attack
# all images of a test. A second classifier stands on the other backbone; it will judge attacks that were not made for
# it.

# %% [markdown] lang="es"
# *A la izquierda, el ataque que quiere un error cualquiera; a la derecha, el que quiere un gato atigrado; diez pasos
# cada uno. Cada línea da el nivel y las dos mejores palabras para ambos.*
#
# Con un solo nivel, la red ya duda en ambos casos. El ataque que quiere un error cualquiera toma la palabra errónea más
# cercana, casi siempre otra raza de perro o un animal de pelaje parecido. De perro a «tabby» cabría pensar que hay más
# distancia. Con esta foto no la hay: con un nivel «tabby» ya es la primera palabra, y con dos la red está casi segura.
# Una foto muestra que es posible. Con qué frecuencia triunfa un ataque es otra pregunta.
#
# ## 4. ¿Con qué frecuencia? Una curva con muchas imágenes
#
# Una imagen demuestra poco. Por eso montamos el clasificador de la lección 01, una [red
# base](../../docs/glosario.md#red-base) congelada con una [cabeza](../../docs/glosario.md#cabeza) nueva para gato y
# perro, y atacamos todas las imágenes de una prueba. Un segundo clasificador se apoya en la otra red base; juzgará
# ataques que no se hicieron para él.

# %%
data = load_splits(DATASET, image_size=IMAGE_SIZE, seed=SEED, val_fraction=0.2, progress=False)
most = int(np.bincount(data.train.labels).min())
train = data.train.per_class(min(TRAIN_A_CLASS, most), seed=SEED)
val = data.val.per_class(min(TRAIN_A_CLASS // 4, int(np.bincount(data.val.labels).min())), seed=SEED)
test = data.test.per_class(min(TEST_A_CLASS, int(np.bincount(data.test.labels).min())), seed=SEED)
x, y = test.images, test.labels
sides = {name: 64 if name == "mini_resnet" else 224 for name in (BACKBONE, OTHER_BACKBONE)} | {BACKBONE: IMAGE_SIZE}
print(train, val, test, sep="\n")


# %% framework="pytorch"
def pets_classifier(name):
    """A frozen backbone and a new head, from pixels of 0 to 1 to the logits of cat and dog."""
    body = on_pixels(name)
    replace_head(body[1], 0)
    parts = []
    for part in (train, val):  # features once
        features = torch.from_numpy(outputs_of(body, resized(part.images, sides[name])))
        parts.append(
            DataLoader(TensorDataset(features, torch.tensor(part.labels)), batch_size=16, shuffle=part is train)
        )
    torch.manual_seed(SEED)
    head = nn.Linear(features.shape[1], 2).to(device)
    fit(head, optim.AdamW(head.parameters(), lr=1e-3), *parts, patience=12, epochs=100)
    return nn.Sequential(body, head).eval().requires_grad_(False)


blur = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)  # each pixel becomes the mean of 3 × 3
pets, other = pets_classifier(BACKBONE), pets_classifier(OTHER_BACKBONE)


# %% framework="tensorflow"
def pets_classifier(name):
    """A frozen backbone and a new head, from pixels of 0 to 1 to the logits of cat and dog."""
    body = on_pixels(name, include_top=False, pooling="avg", classifier_activation=None)
    parts = []
    for part in (train, val):  # features once
        features = outputs_of(body, resized(part.images, sides[name]))
        parts.append(tf.data.Dataset.from_tensor_slices((features, part.labels)))
    keras.utils.set_random_seed(SEED)
    head = keras.Sequential([keras.Input((features.shape[1],)), layers.Dense(2)])
    learn, stop = parts[0].shuffle(len(train)).batch(16), parts[1].batch(64)
    fit(head, keras.optimizers.AdamW(1e-3), learn, stop, patience=12, epochs=100)
    classifier = keras.Model(body.input, head(body.output))
    classifier.trainable = False
    return classifier


blur = layers.AveragePooling2D(3, strides=1, padding="same")  # each pixel becomes the mean of 3 × 3
pets, other = pets_classifier(BACKBONE), pets_classifier(OTHER_BACKBONE)


# %%
def right(classifier, images, side=IMAGE_SIZE):
    """For each test image whether the answer is right."""
    images = images if images.shape[1] == side else resized(images, side)
    return outputs_of(classifier, images).argmax(1) == y


def wrong(classifier, images, side=IMAGE_SIZE):
    """Share of wrong answers, with its interval."""
    return metrics.wilson_interval(float((~right(classifier, images, side)).mean()), len(y))


rng = np.random.default_rng(SEED)
noise = rng.choice([-1, 1], x.shape)  # random signs
levels, attacked = (1, 2, 4, 8), {"PGD": {}, "FGSM": {}, "noise": {}}
for level in levels:
    attacked["PGD"][level] = attack(pets, x, y, level)
    attacked["FGSM"][level] = attack(pets, x, y, level, how=fgsm)
    attacked["noise"][level] = (x + level * noise).clip(0, 255).astype(np.uint8)

# %%
ax = plots.new_axes(None)
curves = {way: [wrong(pets, x)] + [wrong(pets, images[level]) for level in levels] for way, images in attacked.items()}
for k, (way, curve) in enumerate(curves.items()):
    values = np.array([[100 * e.value, 100 * e.low, 100 * e.high] for e in curve]).T
    places = np.array([0, *levels]) + 0.08 * (k - 1)  # a little apart, so that the intervals can be seen
    ax.errorbar(places, values[0], [values[0] - values[1], values[2] - values[0]], color=plots.COLOURS[k],
                marker=plots.MARKERS[k], linestyle=plots.LINES[k], capsize=3, label=words.get(way, way))  # fmt: skip
    print(f"{words.get(way, way):>14}", *(f"{percent(e.value, 0):>6}" for e in curve))
ax.set(xlabel=words["budget"], ylabel=words["wrong_share"], ylim=(-3, 103))
plots.tidy(ax)
legend = ax.legend(frameon=False)
pgd_at_4, noise_at_4 = (100 * curves[way][3].value for way in ("PGD", "noise"))
claim("pgd_at_four_levels", pgd_at_4)
claim("noise_does_not_fool", pgd_at_4 - noise_at_4)

# %% [markdown] lang="en"
# *Share of wrong answers over the budget, with 95 % [intervals](../../docs/glossary.md#confidence-interval). At 0 the
# images are unharmed.*
#
# A few levels are enough for nearly every image. Random signs of the same size do far less. So the amount alone does
# little; the direction makes it count. These are drawn pets and a small network; with `DATASET="cats_vs_dogs"` and
# `BACKBONE="efficientnet_lite0"` the cell attacks real photos. On 50 of them PGD fooled that network 49 times with one
# level and every time with two; FGSM stayed at about half even with eight, and random signs never did it.
#
# ## 5. Does it work on another network?
#
# Often attackers do not have the network that they want to fool. They attack one of their own, and hope. We let the
# other classifier judge the images that were made for ours.

# %% [markdown] lang="es"
# *Porcentaje de respuestas erróneas según el presupuesto, con
# [intervalos](../../docs/glosario.md#intervalo-de-confianza) del 95 %. En el 0 las imágenes están intactas.*
#
# Unos pocos niveles bastan con casi cualquier imagen. Los signos al azar del mismo tamaño hacen mucho menos. Así que la
# cantidad sola hace poco; es la dirección la que le da efecto. Son mascotas dibujadas y una red pequeña; con
# `DATASET="cats_vs_dogs"` y `BACKBONE="efficientnet_lite0"` la celda ataca fotos reales. Con 50 de ellas, PGD engañó a
# esa red 49 veces con un nivel y todas con dos; FGSM se quedó más o menos en la mitad incluso con ocho, y los signos al
# azar no la engañaron nunca.
#
# ## 5. ¿Funciona con otra red?
#
# A menudo quien ataca no tiene la red que quiere engañar. Ataca una propia y espera que sirva. Dejemos que el otro
# clasificador juzgue las imágenes que se hicieron para el nuestro.

# %%
judged = {}
for way, level in (("unharmed", 0), ("PGD", 4), ("PGD", 8), ("noise", 8)):
    judged[way, level] = right(other, attacked[way][level] if level else x, sides[OTHER_BACKBONE])
    share = metrics.wilson_interval(float((~judged[way, level]).mean()), len(y))
    difference = metrics.paired_difference(judged["unharmed", 0], judged[way, level])
    print(f"{words.get(way, way):>13} {level}: {share}")
    if level:
        print(f"{'':16} {metrics.describe_difference(difference, LANGUAGE)}")

# %% [markdown] lang="en"
# *Wrong answers of the other classifier, with 95 % intervals, and the difference to its answers to the unharmed
# images.*
#
# Hardly. The attack that fools our classifier on nearly every image leaves the other almost as it was; the lines say
# whether this test sees a difference at all. The two networks belong to different families, and the other one looks at
# 224 pixels, so that the fine pattern of the attack is not the same to both. In the literature attacks transfer best
# between networks that are alike, and attackers who want transfer attack several networks at once. So "they do not have
# my network" is a hope, not a defence.
#
# ## 6. Can one defend oneself?
#
# ### What survives the way to you
#
# Pictures are compressed and blurred on their way. Does the attack survive that? It is only fair to send the unharmed
# images the same way, too: a treatment that ruins *them* is no defence.

# %% [markdown] lang="es"
# *Respuestas erróneas del otro clasificador, con intervalos del 95 %, y la diferencia con sus respuestas a las imágenes
# intactas.*
#
# Apenas. El ataque que engaña a nuestro clasificador con casi todas las imágenes deja al otro casi como estaba; las
# líneas dicen si esta prueba ve siquiera una diferencia. Las dos redes son de familias distintas, y la otra mira 224
# píxeles, así que el dibujo fino del ataque no es el mismo para ambas. Según los estudios publicados, los ataques se
# transfieren mejor entre redes parecidas, y quien busca que se transfieran ataca varias redes a la vez. Por eso «no
# tienen mi red» es una esperanza, no una defensa.
#
# ## 6. ¿Es posible defenderse?
#
# ### A qué sobrevive por el camino
#
# Por el camino las imágenes se comprimen y se desenfocan. ¿Sobrevive el ataque? Lo justo es enviar también las imágenes
# intactas por el mismo camino: un tratamiento que las estropea a *ellas* no es una defensa.


# %%
def jpeg(images, quality):
    """Through a JPEG file and back."""
    files = [io.BytesIO() for _ in images]
    for image, file in zip(images, files):
        Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.stack([np.asarray(Image.open(file)) for file in files])


ways = {
    "as_it_is": lambda images: images,
    "JPEG 75": lambda images: jpeg(images, 75),
    "JPEG 30": lambda images: jpeg(images, 30),
    "blur": lambda images: to_images(blur(pixels(images))),
}
print(f"{'':>14} {words['attacked']:>24} {words['unharmed']:>24}")
after = {}
for way, send in ways.items():
    after[way] = [wrong(pets, send(images)) for images in (attacked["PGD"][4], x)]
    print(f"{words.get(way, way):>14} {after[way][0]!s:>24} {after[way][1]!s:>24}")
claim("blur_costs", 100 * (after["blur"][1].value - after["as_it_is"][1].value))

# %% [markdown] lang="en"
# *Wrong answers after each treatment, with 95 % intervals: four levels of PGD, and the unharmed images.*
#
# The attack weakens on the way: strong JPEG and the blur heal many images. But look at the right column. Without any
# attack the blur makes the classifier err far more often than before, and JPEG hardly does. A drawn pet of 64 pixels
# has no detail to spare; on 50 photos of 224 pixels, with `efficientnet_lite0`, the blur cost nothing and still healed
# half of the attacked ones.
#
# And the attacker? So far he did not know of the blur. One who knows attacks **blur and network together**. That is an
# **adaptive attack**, and only it tests a defence.
#
# **Your turn (3).** Make one model of the two: pixels, then `blur`, then `net`. It must be a model through which the
# gradient flows from the logits back to the pixels, so that `attack` can be used on it.

# %% [markdown] lang="es"
# *Respuestas erróneas tras cada tratamiento, con intervalos del 95 %: cuatro niveles de PGD, y las imágenes intactas.*
#
# El ataque se debilita por el camino: un JPEG fuerte y el desenfoque curan muchas imágenes. Pero mire la columna de la
# derecha. Sin ataque alguno, con el desenfoque el clasificador falla mucho más que antes; con JPEG, apenas. A una
# mascota dibujada de 64 píxeles no le sobra ningún detalle; con 50 fotos de 224 píxeles y `efficientnet_lite0`, el
# desenfoque no costó nada, y aun así curó la mitad de las atacadas.
#
# ¿Y quien ataca? Hasta ahora no sabía del desenfoque. Quien lo sabe ataca **el desenfoque y la red juntos**. Eso es un
# **ataque adaptativo**, y solo él pone a prueba una defensa.
#
# **Le toca a usted (3).** Haga de los dos un solo modelo: los píxeles, después `blur`, después `net`. Tiene que ser un
# modelo por el que el gradiente fluya desde los logits hasta los píxeles, para que se le pueda aplicar `attack`.


# %% framework="pytorch" tags=["folded"]
def check_defended(defended):
    torch.manual_seed(0)
    soften = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    model, x = defended(soften, net), torch.rand(2, 3, 8, 8, requires_grad=True)
    if not isinstance(model, nn.Module):
        print("✘", words["no_model"])
        return
    found, wanted = model(x), net(soften(x))
    if torch.equal(found, net(x)):
        print("✘", words["no_blur"])
    elif not torch.allclose(found, wanted, atol=1e-5):
        print("✘", words["other_output"])
    elif not found.requires_grad or torch.autograd.grad(found.sum(), x, allow_unused=True)[0] is None:
        print("✘", words["no_gradient"])
    else:
        print("✔", words["right"])


# %% framework="tensorflow" tags=["folded"]
def check_defended(defended):
    keras.utils.set_random_seed(0)
    soften = layers.AveragePooling2D(3, strides=1, padding="same")
    net = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3, activation="relu"), layers.Flatten()])
    net.add(layers.Dense(2))
    model, x = defended(soften, net), tf.random.stateless_uniform((2, 8, 8, 3), seed=(0, 0))
    if not isinstance(model, keras.Model):
        print("✘", words["no_model"])
        return
    with tf.GradientTape() as tape:
        tape.watch(x)
        found = model(x)
    if np.array_equal(found, net(x)):
        print("✘", words["no_blur"])
    elif not np.allclose(found, net(soften(x)), atol=1e-5):
        print("✘", words["other_output"])
    elif tape.gradient(found, x) is None:
        print("✘", words["no_gradient"])
    else:
        print("✔", words["right"])


# %%
def defended(blur, net):
    """One model: blur, then network."""
    # write here


check_defended(defended)


# %% framework="pytorch" tags=["solution"]
def defended(blur, net):
    return nn.Sequential(blur, net)


check_defended(defended)


# %% framework="tensorflow" tags=["solution"]
def defended(blur, net):
    inputs = keras.Input(net.input_shape[1:])
    return keras.Model(inputs, net(blur(inputs)))


check_defended(defended)

# %%
blurred = defended(blur, pets)
adaptive = attack(blurred, x, y, 4)
rows = {"unharmed": x, "unaware": attacked["PGD"][4], "adaptive": adaptive}
rows = {key: wrong(blurred, images) for key, images in rows.items()}
for key, share in rows.items():
    print(f"{words[key]:>14}: {share}")
claim("knowing_the_blur_helps", 100 * (rows["adaptive"].value - rows["unaware"].value))

# %% [markdown] lang="en"
# *Wrong answers of blur and network together: to unharmed images, to the attack on the network alone, and to the attack
# on both.*
#
# Once the attacker knows of it, the blur saves little.
#
# ### Train on attacked images
#
# [**Adversarial training**](../../docs/glossary.md#adversarial-training) (Madry et al., 2018) shows the network
# attacked images while it learns, with their right [labels](../../docs/glossary.md#label). The attacks are made anew in
# each step, on the network as it then is. To know what the *attacks* bring, we train a second copy in just the same way
# on ordinary images: all weights but those of [BatchNorm](../../docs/glossary.md#batch-normalisation), batches drawn in
# the same way, the same rule. Each stops when the loss on held-out images (attacked ones for the first copy) has not
# fallen for `PATIENCE` rounds, and keeps its best round.

# %% [markdown] lang="es"
# *Respuestas erróneas del desenfoque y la red juntos: ante imágenes intactas, ante el ataque a la red sola y ante el
# ataque a ambos.*
#
# En cuanto quien ataca lo conoce, el desenfoque salva muy poco.
#
# ### Entrenar con imágenes atacadas
#
# El [**entrenamiento adversarial**](../../docs/glosario.md#entrenamiento-adversarial) (Madry et al., 2018) muestra a la
# red imágenes atacadas mientras aprende, con sus [etiquetas](../../docs/glosario.md#etiqueta) correctas. Los ataques se
# hacen de nuevo en cada paso, contra la red tal como está entonces. Para saber qué aportan los *ataques*, entrenamos
# otra copia exactamente igual con imágenes corrientes: todos los pesos menos los de
# [BatchNorm](../../docs/glosario.md#normalización-por-lotes), lotes sorteados de la misma manera, la misma regla. Cada
# una se detiene cuando la pérdida con imágenes apartadas (atacadas, en el caso de la primera copia) lleva `PATIENCE`
# rondas sin bajar, y se queda con su mejor ronda.


# %% framework="pytorch"
def copy_that_learns(classifier):
    """All weights but those of BatchNorm learn; the copy stays in `eval()`, so BatchNorm sleeps."""
    copied = copy.deepcopy(classifier).requires_grad_(True)
    for module in copied.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.requires_grad_(False)
    return copied, optim.AdamW([p for p in copied.parameters() if p.requires_grad], lr=3e-4)


def loss_on(model, x, y, attack_steps):
    """The cross-entropy on images that are attacked first, or with 0 steps on the images as they are."""
    if attack_steps:
        x = pgd(model, x, y, 4 / 255, attack_steps)
    return F.cross_entropy(model(x), y)


# %% framework="tensorflow"
def copy_that_learns(classifier):
    """All weights but those of BatchNorm learn; it is called with `training=False`, so BatchNorm sleeps."""
    copied = keras.models.clone_model(classifier)
    copied.set_weights(classifier.get_weights())
    copied.trainable = True
    for part in [layer for layer in copied.layers if isinstance(layer, keras.Model)]:
        for layer in part.layers:
            layer.trainable = not isinstance(layer, layers.BatchNormalization)
    optimizer = keras.optimizers.AdamW(3e-4)
    optimizer.build(copied.trainable_variables)
    return copied, optimizer


def loss_of(model, x, y):
    losses = keras.losses.sparse_categorical_crossentropy(y, model(x, training=False), from_logits=True)
    return tf.reduce_mean(losses)


# %% framework="pytorch"
def fine_tune(attack_steps):
    torch.manual_seed(SEED)
    copied, optimizer = copy_that_learns(pets)
    x, y = pixels(train.images), torch.tensor(train.labels, device=device)
    x_val, y_val = pixels(val.images), torch.tensor(val.labels, device=device)
    lowest, best, best_round = float("inf"), None, 0
    for turn in range(ROUNDS):
        for _ in range(10):
            batch = torch.randint(len(x), (16,), device=device)
            loss = loss_on(copied, x[batch], y[batch], attack_steps)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        val_loss = loss_on(copied, x_val, y_val, 5 if attack_steps else 0).item()
        if val_loss < lowest:
            lowest, best, best_round = val_loss, copy.deepcopy(copied.state_dict()), turn
        elif turn - best_round >= PATIENCE:
            break
    copied.load_state_dict(best)
    return copied.requires_grad_(False), turn + 1


# %% framework="tensorflow"
def fine_tune(attack_steps):
    keras.utils.set_random_seed(SEED)
    copied, optimizer = copy_that_learns(pets)

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(copied, x, y)
        optimizer.apply_gradients(zip(tape.gradient(loss, copied.trainable_variables), copied.trainable_variables))

    x, x_val, lowest, best, best_round = pixels(train.images), pixels(val.images), float("inf"), None, 0
    for turn in range(ROUNDS):
        for _ in range(10):
            batch = rng.integers(len(x), size=16)
            seen, labels = tf.gather(x, batch), train.labels[batch]
            step(pgd(copied, seen, labels, 4 / 255, attack_steps) if attack_steps else seen, labels)
        val_loss = loss_of(copied, pgd(copied, x_val, val.labels, 4 / 255, 5) if attack_steps else x_val, val.labels)
        if val_loss < lowest:
            lowest, best, best_round = val_loss, copied.get_weights(), turn
        elif turn - best_round >= PATIENCE:
            break
    copied.set_weights(best)
    return copied, turn + 1


# %%
tuned, rounds = {}, {}
for key, attack_steps in (("ordinary", 0), ("adversarial", 2)):
    tuned[key], rounds[key] = fine_tune(attack_steps)
print(f"{'':>14} {words['rounds']:>7} {words['right_unharmed']:>24} {words['right_attacked']:>24}")
robust = {}
for key, classifier in {"frozen": pets, **tuned}.items():
    strong = attack(classifier, x, y, 4, steps=2 * ATTACK_STEPS)
    robust[key] = right(classifier, strong)
    shares = [metrics.wilson_interval(float(found.mean()), len(y)) for found in (right(classifier, x), robust[key])]
    print(f"{words[key]:>14} {rounds.get(key, 0):>7} {shares[0]!s:>24} {shares[1]!s:>24}")
gain = metrics.paired_difference(robust["ordinary"], robust["adversarial"])
print(words["gain"], metrics.describe_difference(gain, LANGUAGE))
claim("adversarial_training_helps", 100 * gain)

# %% [markdown] lang="en"
# *Right answers to unharmed images, and under an attack of four levels on the classifier itself, with twice as many
# steps as before; 95 % intervals, one training each.*
#
# On ordinary images alone fine-tuning changes little: the classifier stays nearly as easy to fool as it was. Trained on
# attacked images, in otherwise the same way, it withstands the attack on many of them. On unharmed drawings this test
# sees no price, but two classes of drawings are easy.
#
# The control is no ornament. At three times the learning rate ordinary fine-tuning alone brought 20 % right answers
# under attack, in one run of ours; an attack on the difference of the logits, whose gradient does not fade where the
# network is sure, found no more errors. Whoever reports what adversarial training brings should show such a control
# beside it.
#
# What was shown is robustness against **this** attack within **this** budget, and no more. Published defences are kept
# in a table by [RobustBench](https://robustbench.github.io), which attacks each with several attacks that adapt to it.
# With photos of many classes the robust models lose a good deal of their accuracy on ordinary pictures.
#
# ### Two heads are better than one?
#
# If one network can be fooled, why not ask two and take the mean, an
# [ensemble](../../docs/glossary.md#ensemble)? Because that is one more network, with a gradient of its own.

# %% [markdown] lang="es"
# *Aciertos con imágenes intactas y bajo un ataque de cuatro niveles al propio clasificador, con el doble de pasos que
# antes; intervalos del 95 %, un entrenamiento de cada tipo.*
#
# Con imágenes corrientes, el ajuste fino cambia poco: al clasificador se lo engaña casi tan fácilmente como antes.
# Entrenado con imágenes atacadas, y en lo demás igual, resiste el ataque en muchas de ellas. Con dibujos intactos
# esta prueba no ve que cueste aciertos, pero dos clases de dibujos son fáciles.
#
# El control no está de adorno. Con una tasa de aprendizaje tres veces mayor, el ajuste fino corriente por sí solo dio
# un 20 % de aciertos bajo ataque, en una ejecución nuestra; un ataque a la diferencia de los logits, cuyo gradiente
# no se apaga cuando la red está segura, no encontró más errores. Quien diga cuánto aporta el entrenamiento
# adversarial debería mostrar al lado un control así.
#
# Lo que se ha mostrado es robustez contra **este** ataque con **este** presupuesto, y nada más.
# [RobustBench](https://robustbench.github.io) mantiene una tabla de defensas publicadas y ataca cada una con varios
# ataques que se adaptan a ella. Con fotos de muchas clases, los modelos robustos pierden bastante exactitud con
# imágenes corrientes.
#
# ### ¿Cuatro ojos ven más que dos?
#
# Si se puede engañar a una red, ¿por qué no preguntar a dos y tomar la media, un [conjunto de
# modelos](../../docs/glosario.md#conjunto-de-modelos)? Porque eso es una red más, con su propio gradiente.


# %%
def ensemble(x, **options):
    """The mean of two classifiers' logits; whatever gives logits for pixels can be attacked."""
    return (pets(x, **options) + tuned["ordinary"](x, **options)) / 2


print(f"{words['unharmed']}: {wrong(ensemble, x)}\n{words['adaptive']}: {wrong(ensemble, attack(ensemble, x, y, 4))}")

# %% [markdown] lang="en"
# *Wrong answers of the mean of the frozen and the ordinarily fine-tuned classifier.* So a second network is no defence
# by itself. (These two are near relatives, the second being a copy of the first, fine-tuned; networks of different
# families we did not try.)
#
# ## 7. Why does it work?
#
# ### Many tiny steps in the same direction
#
# Goodfellow, Shlens and Szegedy (2015) gave a simple answer. Near an image $x$ the score $s$ is almost a straight line:
#
# $$s(x + \delta) \approx s(x) + \sum_{i=1}^{n} g_i \, \delta_i$$
#
# Here $\delta_i$ is the change of value $i$, $g_i$ the gradient there, and $n$ the number of values: pixels times three
# colours. If each $\delta_i$ is $\varepsilon$ with the sign of $g_i$, nothing cancels, and the score moves by
# $\varepsilon \sum_i |g_i|$. Each part is tiny, but there are very many. With random signs the parts cancel, mostly.
#
# Is that so? We take the score of the wrong class less that of the right one, and measure how far it moves. Random
# signs move it up as often as down, so the median of the moves would be near zero however long they are. What counts is
# their **size**: we take the median of the moves without their sign.

# %% [markdown] lang="es"
# *Respuestas erróneas de la media del clasificador congelado y el del ajuste fino corriente.* Así que una segunda red
# no es, por sí sola, una defensa. (Estas dos son parientes cercanas: la segunda es una copia de la primera con ajuste
# fino. Redes de familias distintas no las hemos probado).
#
# ## 7. ¿Por qué funciona?
#
# ### Muchos pasos minúsculos en la misma dirección
#
# Goodfellow, Shlens y Szegedy (2015) dieron una respuesta sencilla. Cerca de una imagen $x$, la puntuación $s$ es casi
# una línea recta:
#
# $$s(x + \delta) \approx s(x) + \sum_{i=1}^{n} g_i \, \delta_i$$
#
# Aquí $\delta_i$ es el cambio del valor $i$, $g_i$ el gradiente en él y $n$ el número de valores: píxeles por tres
# colores. Si cada $\delta_i$ es $\varepsilon$ con el signo de $g_i$, nada se compensa y la puntuación se mueve
# $\varepsilon \sum_i |g_i|$. Cada parte es minúscula, pero hay muchísimas. Con signos al azar, las partes se
# compensan casi del todo.
#
# ¿Es así? Tomamos la puntuación de la clase errónea menos la de la correcta y medimos cuánto se mueve. Los signos al
# azar la mueven tantas veces hacia arriba como hacia abajo, así que la mediana de los movimientos rondaría el cero por
# largos que fueran. Lo que cuenta es su **tamaño**: tomamos la mediana de los movimientos sin su signo.


# %% framework="pytorch"
def slope_of(model, images, labels):
    """The gradient of the wrong class's logit less the right one's, for pixels of 0 to 1."""
    slopes = []
    for i in range(0, len(images), 25):
        x, y = pixels(images[i : i + 25]).requires_grad_(), torch.tensor(labels[i : i + 25, None], device=device)
        logits = model(x)
        difference = logits.gather(1, 1 - y) - logits.gather(1, y)
        slopes.append(torch.autograd.grad(difference.sum(), x)[0].permute(0, 2, 3, 1).cpu())
    return torch.cat(slopes).numpy()


# %% framework="tensorflow"
def slope_of(model, images, labels):
    """The gradient of the wrong class's logit less the right one's, for pixels of 0 to 1."""
    slopes = []
    for i in range(0, len(images), 25):
        x, y = pixels(images[i : i + 25]), labels[i : i + 25]
        with tf.GradientTape() as tape:
            tape.watch(x)
            logits = model(x, training=False)
            difference = tf.gather(logits, 1 - y, batch_dims=1) - tf.gather(logits, y, batch_dims=1)
        slopes.append(tape.gradient(difference, x))
    return np.concatenate(slopes)


# %%
def wrong_minus_right(images):
    logits = outputs_of(pets, images.clip(0, 255))
    return logits[np.arange(len(y)), 1 - y] - logits[np.arange(len(y)), y]


slope, start, levels = slope_of(pets, x, y), wrong_minus_right(x.astype(float)), (0.25, 0.5, 1, 2, 4)
moves = {"line": [], "network": [], "random": []}
for level in levels:
    moves["line"].append(np.median(level / 255 * np.abs(slope).sum((1, 2, 3))))
    moves["network"].append(np.median(np.abs(wrong_minus_right(x + level * np.sign(slope)) - start)))
    moves["random"].append(np.median(np.abs(wrong_minus_right(x + level * noise) - start)))
ax = plots.new_axes(None)
for k, (key, values) in enumerate(moves.items()):
    ax.plot(levels, values, plots.LINES[k], color=plots.COLOURS[k], marker=plots.MARKERS[k], label=words[key])
ax.set(xlabel=words["budget"], ylabel=words["move"])
plots.tidy(ax)
legend = ax.legend(frameon=False)
shares = [100 * a / b for a, b in zip(moves["random"], moves["network"])]
print(words["share_random"], *(f"{level:g}: {share:.1f} %" for level, share in zip(levels, shares)))
claim("random_signs_cancel", shares[-1])

# %% [markdown] lang="en"
# *Median over the test images of how far the score moves, without its sign: what the straight line says, what the
# network does with these signs, and with random ones.*
#
# Nearby the network follows the line. At four levels it falls behind: it is straight only nearby, which is why PGD asks
# for the gradient anew. Random signs move the score by a few hundredths of that.
#
# ### Features that we do not see
#
# The line explains how a change can add up. Why does the gradient point to something that means nothing to us? Ilyas et
# al. (2019) found: networks use **every** pattern that tells the classes apart in the training photos, also fine and
# faint ones that no person uses. Such patterns are real: they help on new photos too. But a few levels can reverse
# them. The authors call them [**non-robust
# features**](../../docs/glossary.md#non-robust-feature). Their proof: they attacked photos towards another class, gave
# them *that* class as their label, and trained a new network on them. To us every label was wrong, and yet the network
# did well on ordinary test photos.
#
# So an attack is not a bug in one network. It uses what networks learn from such data, and that is why it can work on
# another network that learnt from similar photos. Adversarial training takes these features away from the network, and
# with them some of its accuracy.
#
# ## 8. What it is good for, and what not
#
# Attacks show what a network leans on, and where a product must not rely on it alone. That is why they are taught.
# Disturbing somebody's system without being asked is wrong, and in many countries a crime. Look for weaknesses in your
# own models, or in those whose owners have agreed, and tell those who can mend them before you tell others.
#
# Ideal pictures show what a network looks for. They are no proof of what it does on photos. And a dog that fools one
# network on one file says nothing about a camera in the street.
#
# ## 9. The whole of it on one page
#
# The script that you take home: a photo, the class that it shall be taken for, and the name of the file to save.
# Without a fourth argument it downloads a network; here it gets the lesson's, so that its result can be compared with
# the lesson's own.

# %% [markdown] lang="es"
# *Mediana, sobre las imágenes de prueba, de cuánto se mueve la puntuación, sin signo: lo que dice la recta, lo que hace
# la red con esos signos y lo que hace con signos al azar.*
#
# De cerca, la red sigue la recta. Con cuatro niveles se queda atrás: solo es recta de cerca, y por eso PGD pide el
# gradiente de nuevo. Los signos al azar mueven la puntuación unas pocas centésimas de eso.
#
# ### Características que no vemos
#
# La recta explica cómo puede acumularse un cambio. Pero ¿por qué apunta el gradiente a algo que para nosotros no
# significa nada? Ilyas et al. (2019) encontraron esto: las redes usan **todo** patrón que distinga las clases en las
# fotos de entrenamiento, también los finos y tenues que ninguna persona usa. Esos patrones son reales: también ayudan
# con fotos nuevas. Pero unos pocos niveles bastan para invertirlos. Los autores los llaman [**características no
# robustas**](../../docs/glosario.md#característica-no-robusta). Su prueba: atacaron fotos hacia otra clase, les
# pusieron *esa* clase como etiqueta y entrenaron con ellas una red nueva. Para nosotros todas las etiquetas eran
# erróneas, y aun así la red acertaba bastante con fotos de prueba corrientes.
#
# Así que un ataque no es un defecto de una red concreta. Aprovecha lo que las redes aprenden de esos datos, y por eso
# puede funcionar con otra red que aprendió de fotos parecidas. El entrenamiento adversarial le quita a la red esas
# características, y con ellas parte de su exactitud.
#
# ## 8. Para qué sirve y para qué no
#
# Los ataques muestran en qué se apoya una red y dónde un producto no debe fiarse únicamente de ella. Por eso se
# enseñan. Perturbar el sistema de alguien sin que lo pida está mal y en muchos países es delito. Busque debilidades
# en sus propios modelos, o en los de quienes estén de acuerdo, y cuéntelas a quien pueda corregirlas antes que a
# otros.
#
# Las imágenes ideales muestran qué busca una red. No demuestran qué hace con fotos. Y un perro que engaña a una red en
# un archivo no dice nada de una cámara en la calle.
#
# ## 9. Todo en una página
#
# El programa que se lleva a casa: una foto, la clase por la que se quiere que pase y el nombre del archivo que se
# guarda. Sin un cuarto argumento descarga una red; aquí recibe la de la lección, para poder comparar su resultado con
# el de la lección.

# %% framework="pytorch"
# %%writefile {folder}/one_page.py
import sys

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torchvision import models
from torchvision.transforms import v2

PHOTO, TARGET, SAVED, *FILE = sys.argv[1:]  # TARGET: the number of a class, such as 281, tabby
BUDGET, STEPS = 4 / 255, 40
if FILE:  # the lesson's network, from a file: pixels of 0 to 1 in, logits out
    network = torch.export.load(FILE[0]).module()
else:  # from torchvision, with a download of 45 MB
    normalize = v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    network = nn.Sequential(normalize, models.resnet18(weights="DEFAULT").eval())


def pixels(file):
    array = np.asarray(Image.open(file).convert("RGB").resize((224, 224)))
    return torch.tensor(array).permute(2, 0, 1)[None] / 255


x, target = pixels(PHOTO), torch.tensor([int(TARGET)])
attacked = x
for _ in range(STEPS):
    attacked = attacked.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(network(attacked), target), attacked)
    attacked = attacked - 2.5 * BUDGET / STEPS * gradient.sign()
    attacked = attacked.clamp(x - BUDGET, x + BUDGET).clamp(0, 1)
levels = (255 * attacked[0].permute(1, 2, 0)).round().to(torch.uint8)
Image.fromarray(levels.detach().numpy()).save(SAVED)  # a name that ends in .png

for file in (PHOTO, SAVED):
    probabilities = network(pixels(file)).softmax(1)[0]
    print(f"{file}: class {int(probabilities.argmax())}, target {probabilities[int(TARGET)].item():.4f}")

# %% framework="tensorflow"
# %%writefile {folder}/one_page.py
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
import keras
import numpy as np
import tensorflow as tf
from PIL import Image

PHOTO, TARGET, SAVED, *FILE = sys.argv[1:]  # TARGET: the number of a class, such as 281, tabby
BUDGET, STEPS = 4 / 255, 40
if FILE:  # the lesson's network, from a file: pixels of 0 to 1 in, logits out
    network = keras.models.load_model(FILE[0], compile=False)
else:  # from keras.applications, with a download of 14 MB
    mobilenet = keras.applications.mobilenet_v2
    inputs = keras.Input((224, 224, 3))
    logits = mobilenet.MobileNetV2(classifier_activation=None)(mobilenet.preprocess_input(255.0 * inputs))
    network = keras.Model(inputs, logits)


def pixels(file):
    return tf.constant(np.asarray(Image.open(file).convert("RGB").resize((224, 224)), "float32")[None] / 255)


@tf.function
def gradient_of(x, target):
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = keras.losses.sparse_categorical_crossentropy(target, network(x, training=False), from_logits=True)
    return tape.gradient(loss, x)


x, target = pixels(PHOTO), tf.constant([int(TARGET)])
attacked = x
for _ in range(STEPS):
    attacked = attacked - 2.5 * BUDGET / STEPS * tf.sign(gradient_of(attacked, target))
    attacked = tf.clip_by_value(tf.clip_by_value(attacked, x - BUDGET, x + BUDGET), 0, 1)
Image.fromarray(np.round(255 * attacked[0]).astype(np.uint8)).save(SAVED)  # a name that ends in .png

for file in (PHOTO, SAVED):
    probabilities = tf.nn.softmax(network(pixels(file), training=False))[0].numpy()
    print(f"{file}: class {probabilities.argmax()}, target {probabilities[int(TARGET)]:.4f}")

# %% framework="pytorch"
file = folder / "network.pt2"
on_cpu = copy.deepcopy(model).cpu().to(memory_format=torch.contiguous_format)
torch.export.save(torch.export.export(on_cpu, (torch.rand(1, 3, 224, 224),)), file)

# %% framework="tensorflow"
file = folder / "network.keras"
model.save(file)

# %%
import subprocess
import sys

Image.fromarray(dog[0]).save(folder / "photo.png")
command = [sys.executable, "one_page.py", "photo.png", str(CAT), "attacked.png", file.name]
said = subprocess.run(command, capture_output=True, text=True, cwd=folder)
print(said.stdout or said.stderr)
from_script = np.asarray(Image.open(folder / "attacked.png"))[None]
assert np.abs(from_script.astype(int) - dog).max() <= 4
claim("script_fools", 100 * softmax(outputs_of(model, from_script), axis=1)[0, CAT])

# %% [markdown] lang="en"
# ## What you can do now
#
# - Follow the gradient to the pixels: a loop that draws what a network looks for. A network can be sure of noise;
#   total variation, jitter and coarse to fine make a picture of it, and a witness, checked by a control, says how far
#   to believe it.
# - Attack with FGSM and PGD, targeted or not, within a budget, and prove it on the saved file.
# - Measure: a curve over many images, random noise beside it, another network, the unharmed images under each
#   treatment.
# - Test a defence against an attacker who knows it. The blur and the ensemble did not hold; adversarial training
#   helped, within its budget.
# - Explain it: many tiny changes add up along a nearly straight line, and networks use features that we do not see.
#
# From [the toolbox](../../docs/toolbox.md) the lesson used `load_network`, `replace_head` and `fit`; it added nothing.
#
# ## Check yourself

# %% [markdown] lang="es"
# ## Lo que ya sabe hacer
#
# - Seguir el gradiente hasta los píxeles: un bucle que dibuja lo que busca una red. Una red puede estar segura ante
#   puro ruido; la variación total, el temblor y el paso de lo grueso a lo fino hacen de él una imagen, y una testigo,
#   comprobada con un control, dice hasta qué punto creérsela.
# - Atacar con FGSM y PGD, con o sin objetivo, dentro de un presupuesto, y demostrarlo con el archivo guardado.
# - Medir: una curva con muchas imágenes, al lado el ruido al azar, otra red y las imágenes intactas tras cada
#   tratamiento.
# - Poner a prueba una defensa contra quien la conoce. El desenfoque y el conjunto de modelos no aguantaron; el
#   entrenamiento adversarial ayudó, dentro de su presupuesto.
# - Explicarlo: muchos cambios minúsculos se acumulan a lo largo de una línea casi recta, y las redes usan
#   características que no vemos.
#
# De [la caja de herramientas](../../docs/caja_de_herramientas.md) la lección ha usado `load_network`, `replace_head` y
# `fit`; no ha añadido nada.
#
# ## Compruebe lo aprendido

# %%
show_quiz("07_adversarial_cat/after", LANGUAGE)

# %% [markdown] lang="en"
# ## Further reading
#
# - C. Szegedy et al., "Intriguing properties of neural networks", *ICLR* 2014.
# - I. J. Goodfellow, J. Shlens and C. Szegedy, "Explaining and harnessing adversarial examples", *ICLR* 2015.
# - C. Olah, A. Mordvintsev and L. Schubert, "Feature visualization", *Distill* 2017: ideal pictures, coarse to fine.
# - A. Madry, A. Makelov, L. Schmidt, D. Tsipras and A. Vladu, "Towards deep learning models resistant to adversarial
#   attacks", *ICLR* 2018.
# - A. Ilyas et al., "Adversarial examples are not bugs, they are features", *NeurIPS* 2019.
# - F. Tramèr, N. Carlini, W. Brendel and A. Madry, "On adaptive attacks to adversarial example defenses", *NeurIPS*
#   2020.
# - F. Croce et al., "RobustBench: a standardized adversarial robustness benchmark", *NeurIPS Datasets and Benchmarks*
#   2021.

# %% [markdown] lang="es"
# ## Para seguir leyendo
#
# - C. Szegedy et al., «Intriguing properties of neural networks», *ICLR* 2014.
# - I. J. Goodfellow, J. Shlens y C. Szegedy, «Explaining and harnessing adversarial examples», *ICLR* 2015.
# - C. Olah, A. Mordvintsev y L. Schubert, «Feature visualization», *Distill* 2017: imágenes ideales, de lo grueso a lo
#   fino.
# - A. Madry, A. Makelov, L. Schmidt, D. Tsipras y A. Vladu, «Towards deep learning models resistant to adversarial
#   attacks», *ICLR* 2018.
# - A. Ilyas et al., «Adversarial examples are not bugs, they are features», *NeurIPS* 2019.
# - F. Tramèr, N. Carlini, W. Brendel y A. Madry, «On adaptive attacks to adversarial example defenses», *NeurIPS* 2020.
# - F. Croce et al., «RobustBench: a standardized adversarial robustness benchmark», *NeurIPS Datasets and Benchmarks*
#   2021.
