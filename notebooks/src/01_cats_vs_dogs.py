# %% [markdown] lang="en"
# # Cats and dogs: your first transfer, written by you
#
# **{Framework}** · about 60 minutes · before this: [00 Start here](00_start_here_{framework}.ipynb).
#
# You have some pictures of cats and dogs, few of them labelled, and a laptop. After this lesson you can write, in
# {Framework} and without any library of this course,
#
# - a data pipeline from a folder of photos, with the preprocessing that a pretrained network asks for;
# - the cut: a pretrained network without its old head, frozen and verified, and a new head in its place;
# - the training of that head, with a rule that says when to stop;
# - **fine-tuning** of the whole network at a low rate;
# - the fair comparison of all that with training from scratch, with an interval.
#
# The last section puts all of it on one page, a script that you take home.

# %% [markdown] lang="es"
# # Gatos y perros: su primera transferencia, escrita por usted
#
# **{Framework}** · unos 60 minutos · antes: [00 Empiece aquí](00_start_here_{framework}.ipynb).
#
# Tiene unas cuantas imágenes de gatos y perros, pocas de ellas etiquetadas, y un portátil. Al terminar sabrá escribir,
# en {Framework} y sin ninguna biblioteca de este curso,
#
# - el camino de los datos, desde una carpeta de fotos, con el preprocesamiento que pide una red preentrenada;
# - el corte: una red preentrenada sin su antigua cabeza, congelada y comprobada, y una cabeza nueva en su lugar;
# - el entrenamiento de esa cabeza, con una regla que dice cuándo parar;
# - el **ajuste fino** de la red entera con una tasa baja;
# - la comparación justa de todo ello con empezar de cero, con su intervalo.
#
# La última sección lo reúne todo en una página: un programa que usted se lleva a casa.

# %% tags=["parameters"]
SEED = 0
DATASET = "drawn_pets"  # or "cats_vs_dogs", "oxford_pets_species", a folder with one sub-folder a class
BACKBONE = "mini_resnet"  # or "efficientnet_lite0", "resnet50", "mobilenet_v2", ...
IMAGE_SIZE = 64  # side of the images, in pixels; what the backbone was trained at
LABELS = 50  # labelled images of each class, those that decide when to stop among them
FEW_LABELS = 10  # the same, when labels are scarce
SEEDS = 3  # how often each experiment is repeated, with other images and other random weights
ROUNDS = 40  # at most so many rounds of training, of 20 steps each
PATIENCE = 12  # rounds without a lower validation loss, after which training stops
FINE_TUNE_RATE = 0.0001  # learning rate of the pretrained weights

# %%
# %matplotlib inline
import time

import numpy as np
from sklearn.model_selection import train_test_split

from tlhelpers import metrics, plots
from tlhelpers.data.datasets import load_splits
from tlhelpers.quiz import show_quiz

show_quiz("01_cats_vs_dogs/before", LANGUAGE)

# %% framework="pytorch"
import copy

import timm
import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, Dataset, RandomSampler, TensorDataset
from torchvision import datasets, models
from torchvision.transforms import v2

from tlhelpers.pytorch.mini_resnet import MiniResNet_Weights, mini_resnet

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
print("PyTorch", torch.__version__, device)

# %% framework="tensorflow"
import importlib

import keras
import tensorflow as tf
from keras import layers

from tlhelpers.tensorflow import mini_resnet

print("TensorFlow", tf.__version__, "Keras", keras.__version__, tf.config.list_logical_devices()[-1].device_type)

# %% [markdown] lang="en"
# ## 1. Look at the data
#
# Before any network: what is in the folder? `load_splits` reads every file once, writes down what it used and what it
# left out, and why. It changes nothing in your files.

# %% [markdown] lang="es"
# ## 1. Mirar los datos
#
# Antes que cualquier red: ¿qué hay en la carpeta? `load_splits` lee cada archivo una vez y anota qué ha usado, qué ha
# descartado y por qué. No cambia nada en sus archivos.

# %% tags=["nbval-check-output"]
data = load_splits(DATASET, image_size=IMAGE_SIZE, seed=SEED, progress=False)
class_names = data.train.class_names
num_classes = len(class_names)
print(data.manifest.summary(LANGUAGE))
for name, part in (("train", data.train), ("val", data.val), ("test", data.test)):
    print(f"{name:>5}: {len(part):5,}", dict(zip(class_names, np.bincount(part.labels).tolist())))

# %%
some = data.train.per_class(6, seed=SEED)
some = some.take(np.argsort(some.labels, kind="stable"))
class_words = plots.class_words(class_names, LANGUAGE)
axes = plots.show_images(some.images, [class_words[k] for k in some.labels], columns=6)

# %% [markdown] lang="en"
# *Training images, one row for each class. Look for what could be mistaken: poses, backgrounds, things in front.*
#
# Three parts, each with its own use. We learn from [**train**](../../docs/glossary.md#training-set). We try things out
# with [**val**](../../docs/glossary.md#validation-set) (validation). [**test**](../../docs/glossary.md#test-set) is
# for the very end, so that nothing was chosen to suit it.
#
# ### From a folder of photos
#
# Your own photos will lie in a folder, with one sub-folder for each class. {Framework} reads such a folder in one line.
# Let us make one to see it.

# %% [markdown] lang="es"
# *Imágenes de entrenamiento, una fila por clase. Busque lo que podría confundir: posturas, fondos, objetos que tapan al
# animal.*
#
# Tres partes, cada una con su uso. De [**train**](../../docs/glosario.md#conjunto-de-entrenamiento) (entrenamiento)
# aprendemos. Con [**val**](../../docs/glosario.md#conjunto-de-validación) (validación) probamos cosas.
# [**test**](../../docs/glosario.md#conjunto-de-prueba) (prueba) es para el final, para que nada se haya elegido a su
# medida.
#
# ### Desde una carpeta de fotos
#
# Sus fotos estarán en una carpeta, con una subcarpeta por clase. {Framework} lee una carpeta así con una sola línea.
# Hagamos una para verlo.

# %%
import tempfile
from pathlib import Path

from PIL import Image

folder = Path(tempfile.mkdtemp())
for i, (image, label) in enumerate(zip(some.images, some.labels)):
    (folder / "photos" / class_names[label]).mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(folder / "photos" / class_names[label] / f"{i}.jpg")

# %% framework="pytorch"
photos = datasets.ImageFolder(folder / "photos")
print(photos.class_to_idx, len(photos))
image, label = photos[0]
print(image.size, image.mode, label)

# %% framework="tensorflow"
photos = keras.utils.image_dataset_from_directory(
    folder / "photos", image_size=(IMAGE_SIZE, IMAGE_SIZE), batch_size=4, shuffle=False, verbose=False
)
print(photos.class_names, photos.cardinality().numpy())
for x, y in photos.take(1):
    print(x.shape, x.dtype, "max", x.numpy().max(), y.numpy())

# %% [markdown] lang="en" framework="pytorch"
# `ImageFolder` numbers the classes in the order of the alphabet, and opens a photo when it is asked for. It looks at no
# file before that.

# %% [markdown] lang="en" framework="tensorflow"
# `image_dataset_from_directory` numbers the classes in the order of the alphabet, scales the photos to one size and puts
# them into batches. It looks at no file before it needs it.

# %% [markdown] lang="es" framework="pytorch"
# `ImageFolder` numera las clases por orden alfabético y abre cada foto cuando se la piden. Antes de eso no mira ningún
# archivo.

# %% [markdown] lang="es" framework="tensorflow"
# `image_dataset_from_directory` numera las clases por orden alfabético, lleva las fotos a un mismo tamaño y las reparte
# en lotes. No mira ningún archivo antes de necesitarlo.

# %% [markdown] lang="en"
# ### What defects look like
#
# Real collections have broken files, files with the wrong extension, and the same photo twice. A photo that is both in
# train and in test is an answer that [leaked](../../docs/glossary.md#data-leakage). Let us damage our folder on
# purpose, and ask `load_splits` again.

# %% [markdown] lang="es"
# ### Qué aspecto tienen los defectos
#
# Las colecciones reales tienen archivos rotos, archivos con la extensión equivocada y fotos repetidas. Una foto que
# está en entrenamiento y también en prueba es una respuesta que [se ha filtrado](../../docs/glosario.md#fuga-de-datos).
# Estropeemos a propósito nuestra carpeta y preguntemos otra vez a `load_splits`.

# %%
first_class = folder / "photos" / class_names[some.labels[0]]
whole = (first_class / "0.jpg").read_bytes()
(first_class / "twice.jpg").write_bytes(whole)
(first_class / "half.jpg").write_bytes(whole[: len(whole) // 2])
(first_class / "empty.jpg").write_bytes(b"")
(first_class / "Thumbs.db").write_bytes(b"not an image")

damaged = load_splits(str(folder / "photos"), image_size=IMAGE_SIZE, progress=False)
print(damaged.manifest.summary(LANGUAGE))
claim("defects_found", len(damaged.manifest.left_out))

# %% [markdown] lang="en"
# The loaders of {Framework} would have stopped at the first broken file, in the middle of training, and would never
# have told of the copy. So an audit comes first.
#
# ## 2. A pretrained network, and the preprocessing that belongs to it
#
# What a network knows is in its [**weights**](../../docs/glossary.md#weights), the numbers that training has set. Some
# networks come with weights that were trained on a million photos. This course brings two along, so that you need no
# download; hundreds of others are loaded by the same line.

# %% [markdown] lang="es"
# Los cargadores de {Framework} se habrían detenido en el primer archivo roto, en medio del entrenamiento, y nunca
# habrían avisado de la copia. Por eso la auditoría va primero.
#
# ## 2. Una red preentrenada y el preprocesamiento que le corresponde
#
# Lo que una red sabe está en sus [**pesos**](../../docs/glosario.md#pesos), los números que el entrenamiento ha fijado.
# Hay redes que vienen con pesos entrenados con un millón de fotos. Este curso trae dos, para que no tenga que descargar
# nada; otras muchas se cargan con la misma línea.

# %% framework="pytorch"
weights = MiniResNet_Weights.DEFAULT  # torchvision's own: models.ResNet18_Weights.DEFAULT
small = mini_resnet(weights=weights)  # models.resnet18(weights=weights)
print(weights.transforms())
print(len(weights.meta["categories"]), "classes:", weights.meta["categories"][:4])
print(len(models.list_models(module=models)), "networks in torchvision,", len(timm.list_models()), "in timm")

# %% framework="tensorflow"
small = mini_resnet.MiniResNet()  # keras.applications.ResNet50()
print(small.name, small.input_shape, "→", small.output_shape, f"{small.count_params():,} weights")
one_pixel = np.full((1, 1, 1, 3), 255.0, "float32")
print(
    "white becomes",
    mini_resnet.preprocess_input(one_pixel).ravel(),
    "black",
    mini_resnet.preprocess_input(0 * one_pixel).ravel(),
)
applications = [name for name in dir(keras.applications) if name[0].isupper()]
print(len(applications), "networks in keras.applications:", applications[:4])

# %% [markdown] lang="en" framework="pytorch"
# The list that is printed first is the [**preprocessing**](../../docs/glossary.md#normalisation-of-the-input): bring the photo to 64
# pixels, make numbers from 0 to 1 of its pixels, subtract a mean from each colour and divide by a spread (`std`). These
# six numbers are those of the photos that the network was trained on. They travel with the weights, as one object, so
# that nobody can pair a network with the wrong ones.
#
# A **backbone** by any name: the course's two, torchvision's, or timm's. This is all that it takes.

# %% [markdown] lang="en" framework="tensorflow"
# In Keras each network has a module of its own, with its [**preprocessing**](../../docs/glossary.md#normalisation-of-the-input) in
# it: `preprocess_input`. It turns pixels of 0 to 255 into the numbers that this network was trained on. Others want
# −1 to 1, or blue before red. So take always the one of the same module.
#
# A **backbone** by any name: the course's two, or those of `keras.applications`. This is all that it takes.

# %% [markdown] lang="es" framework="pytorch"
# La lista que se imprime primero es el [**preprocesamiento**](../../docs/glosario.md#normalización-de-la-entrada): llevar la foto a
# 64 píxeles, convertir sus píxeles en números de 0 a 1, restar a cada color una media y dividir por una dispersión
# (`std`). Esos seis números son los de las fotos con las que se entrenó la red. Viajan junto con los pesos, en un mismo
# objeto, para que nadie empareje una red con los que no son.
#
# Una **red base** por su nombre: las dos del curso, las de torchvision o las de timm. No hace falta más que esto.

# %% [markdown] lang="es" framework="tensorflow"
# En Keras cada red tiene su módulo, y en él su [**preprocesamiento**](../../docs/glosario.md#normalización-de-la-entrada):
# `preprocess_input`. Convierte píxeles de 0 a 255 en los números con los que se entrenó esa red. Otras quieren de −1 a
# 1, o el azul antes que el rojo. Tome siempre el del mismo módulo.
#
# Una **red base** por su nombre: las dos del curso o las de `keras.applications`. No hace falta más que esto.

# %% framework="pytorch" tags=["folded"]
# What the next cell uses: the definition of EfficientNet-Lite0, folded, for those who want to see it.
from functools import partial

from torchvision.models import Weights, WeightsEnum
from torchvision.transforms import InterpolationMode

from tlhelpers.pytorch.pretrained import build_model, classification_preset
from tlhelpers.weights import imagenet_classes
from tlhelpers.weights.efficientnet_lite0 import PACKAGE, efficientnet_lite0_tensors

# %% framework="tensorflow" tags=["folded"]
# What the next cell uses: the definition of EfficientNet-Lite0, folded, for those who want to see it.
from collections.abc import Callable

from tlhelpers.tensorflow import efficientnet_lite0
from tlhelpers.tensorflow.pretrained import add_top, check_weights, copy_tensors, decode
from tlhelpers.weights import imagenet_classes
from tlhelpers.weights.efficientnet_lite0 import efficientnet_lite0_tensors

# %% framework="pytorch" shows="tlhelpers.pytorch.efficientnet_lite0.EfficientNetLite0_Weights tlhelpers.pytorch.efficientnet_lite0.efficientnet_lite0" tags=["folded"]

# %% framework="tensorflow" shows="tlhelpers.tensorflow.efficientnet_lite0.STAGES tlhelpers.tensorflow.efficientnet_lite0.batch_norm tlhelpers.tensorflow.efficientnet_lite0.block tlhelpers.tensorflow.efficientnet_lite0.EfficientNetLite0 tlhelpers.tensorflow.efficientnet_lite0.preprocess_input tlhelpers.tensorflow.efficientnet_lite0.decode_predictions" tags=["folded"]

# %% framework="pytorch" shows="tlhelpers.pytorch.networks.load_network"

# %% framework="tensorflow" shows="tlhelpers.tensorflow.networks.load_network"

# %% framework="pytorch"
network, prepare = load_network(BACKBONE)
photo = torch.from_numpy(some.images[0]).permute(2, 0, 1)  # PyTorch wants the colours first
ready = prepare(photo)
print("pixels:", tuple(photo.shape), photo.dtype, photo.min().item(), "to", photo.max().item())
print("ready: ", tuple(ready.shape), ready.dtype, f"{ready.min():.2f} to {ready.max():.2f}, mean {ready.mean():.2f}")

# %% framework="tensorflow"
network, prepare = load_network(BACKBONE, IMAGE_SIZE)
to_words = importlib.import_module(prepare.__module__).decode_predictions  # of the same module
photo = some.images[:1].astype("float32")
ready = np.array(prepare(photo.copy()))
print("pixels:", photo.shape, photo.dtype, photo.min(), "to", photo.max())
print("ready: ", ready.shape, ready.dtype, f"{ready.min():.2f} to {ready.max():.2f}, mean {ready.mean():.2f}")

# %% [markdown] lang="en" framework="pytorch"
# A network eats batches. A `Dataset` says how to get picture number *i*; a `DataLoader` asks it for many, prepares them
# and stacks them. Ours holds pictures that are already in memory.

# %% [markdown] lang="en" framework="tensorflow"
# A network eats batches. `tf.data` makes them: it takes arrays apart into pictures, shuffles, and stacks again.

# %% [markdown] lang="es" framework="pytorch"
# Una red se alimenta de lotes. Un `Dataset` dice cómo obtener la imagen número *i*; un `DataLoader` le pide muchas, las
# prepara y las apila. El nuestro guarda imágenes que ya están en memoria.

# %% [markdown] lang="es" framework="tensorflow"
# Una red se alimenta de lotes. Los hace `tf.data`: separa las matrices en imágenes, las baraja y las vuelve a apilar.

# %% framework="pytorch" shows="tlhelpers.pytorch.data.ImageDataset"
loader = DataLoader(ImageDataset(some.images, some.labels, prepare), batch_size=4)
x, y = next(iter(loader))
print(x.shape, x.dtype, y)

# %% framework="tensorflow"
batches = tf.data.Dataset.from_tensor_slices((some.images, some.labels)).batch(4)
for x, y in batches.take(1):
    print(x.shape, x.dtype, y.numpy())

# %% [markdown] lang="en"
# ## 3. What does it say, and does the preprocessing matter?
#
# The network still has its old head: one output for each word it learnt. What does it call a real cat? And what, if we
# forget the preprocessing? Guess first.

# %% [markdown] lang="es"
# ## 3. ¿Qué dice? ¿Y de verdad importa el preprocesamiento?
#
# La red conserva su antigua cabeza: una salida por cada palabra que aprendió. ¿Cómo llama a un gato de verdad? ¿Y si nos
# olvidamos del preprocesamiento? Apueste antes de mirar.

# %%
from skimage import data as sample_photos

from tlhelpers.data.images import prepare as fit_photo

chelsea = fit_photo(sample_photos.chelsea(), IMAGE_SIZE)[None]  # a real cat, from scikit-image

# %% framework="pytorch" shows="tlhelpers.pytorch.prediction.predict"
known = {"mini_resnet": MiniResNet_Weights, "efficientnet_lite0": EfficientNetLite0_Weights}.get(BACKBONE)
categories = known.DEFAULT.meta["categories"] if known else [str(k) for k in range(1000)]


def old_answers(images, transform, top=2):
    logits = predict(network, DataLoader(ImageDataset(images, np.zeros(len(images)), transform), batch_size=32))
    best = torch.from_numpy(logits).softmax(1).topk(top)
    return [[(categories[k], p) for k, p in zip(*row)] for row in zip(best.indices.tolist(), best.values.tolist())]


forgotten = v2.ToDtype(torch.float32)  # pixels of 0 to 255, as they are
with_it, without_it = (old_answers(chelsea, transform)[0] for transform in (prepare, forgotten))


# %% framework="tensorflow"
def old_answers(images, transform, top=2):
    probabilities = network.predict(transform(images.astype("float32")), verbose=0)
    return [[(name, p) for _, name, p in best] for best in to_words(probabilities, top=top)]


with_it, without_it = (old_answers(chelsea, transform)[0] for transform in (prepare, lambda pixels: pixels))

# %%
titles = [
    f"{words[way]}\n" + "\n".join(f"{name.split(',')[0][:18]} {p:.0%}" for name, p in best)
    for way, best in (("prepared", with_it), ("raw_pixels", without_it))
]
axes = plots.show_images(np.concatenate([chelsea, chelsea]), titles, columns=2, side=2.4)

# %% [markdown] lang="en"
# *A cat, and the two words that the network finds most probable: left with the preprocessing, right with the bare
# pixels. Nothing warns you of the difference: both run.*
#
# And our own animals?

# %% [markdown] lang="es"
# *Un gato, y las dos palabras que la red considera más probables: a la izquierda con el preprocesamiento, a la derecha
# con los píxeles tal cual. Nada avisa de la diferencia: las dos veces funciona.*
#
# ¿Y nuestros animales?

# %%
titles = [
    "\n".join(f"{name.split(',')[0][:16]} {p:.0%}" for name, p in best) for best in old_answers(some.images, prepare)
]
axes = plots.show_images(some.images, titles, columns=6)

# %% [markdown] lang="en"
# *The old words for our pictures. For the course's drawings most are wrong, and some are absurd: none of the words means
# "a drawn cat".*
#
# So the old answers may be of little use. But the answers are only the last layer. What matters is what lies before it.
#
# ## 4. What is inside?

# %% [markdown] lang="es"
# *Las palabras antiguas para nuestras imágenes. Con los dibujos del curso, la mayoría son erróneas y algunas, absurdas:
# ninguna de las palabras significa «gato dibujado».*
#
# Así que las respuestas antiguas pueden servir de poco. Pero las respuestas son solo la última capa. Lo que importa es lo
# que hay antes de ella.
#
# ## 4. ¿Qué hay dentro?

# %% framework="pytorch"
for name, part in network.named_children():
    print(f"{name:>12} {sum(p.numel() for p in part.parameters()):>10,} weights   {type(part).__name__}")
print(small.layer4)

# %% framework="tensorflow"
small.summary(line_length=90)
print(small.get_layer("layer4").output)

# %% [markdown] lang="en" framework="pytorch"
# A [**convolution**](../../docs/glossary.md#convolution) (`Conv2d`) slides small filters over the picture. Each gives a
# [**feature map**](../../docs/glossary.md#feature-map): a small picture that is bright where the filter has found what
# it looks for. To see the maps we hang a **hook** on a layer, a function that is called when the layer has computed.

# %% [markdown] lang="en" framework="tensorflow"
# A [**convolution**](../../docs/glossary.md#convolution) (`Conv2D`) slides small filters over the picture. Each gives a
# [**feature map**](../../docs/glossary.md#feature-map): a small picture that is bright where the filter has found what
# it looks for. To see the maps we make a **sub-model**: the same layers, but another output.

# %% [markdown] lang="es" framework="pytorch"
# Una [**convolución**](../../docs/glosario.md#convolución) (`Conv2d`) desliza filtros pequeños sobre la imagen. Cada uno
# da un [**mapa de características**](../../docs/glosario.md#mapa-de-características): una imagen pequeña que brilla donde
# el filtro ha encontrado lo que busca. Para ver los mapas colgamos de una capa un **gancho** (*hook*): una función que se
# llama cuando la capa ha terminado de calcular.

# %% [markdown] lang="es" framework="tensorflow"
# Una [**convolución**](../../docs/glosario.md#convolución) (`Conv2D`) desliza filtros pequeños sobre la imagen. Cada uno
# da un [**mapa de características**](../../docs/glosario.md#mapa-de-características): una imagen pequeña que brilla donde
# el filtro ha encontrado lo que busca. Para ver los mapas hacemos un **submodelo**: las mismas capas, con otra salida.

# %% framework="pytorch"
convolutions = [name for name, part in network.named_modules() if isinstance(part, nn.Conv2d)]
shown = [convolutions[round(k)] for k in np.linspace(0, len(convolutions) - 1, 4)]
maps = {}
for name in shown:
    network.get_submodule(name).register_forward_hook(
        lambda part, inputs, output, name=name: maps.update({name: output[0].permute(1, 2, 0).numpy()})
    )
network.eval()
with torch.inference_mode():
    network(prepare(photo)[None])
for name in shown:
    network.get_submodule(name)._forward_hooks.clear()

# %% framework="tensorflow"
convolutions = [layer for layer in network.layers if isinstance(layer, layers.Conv2D)]
shown = [convolutions[round(k)] for k in np.linspace(0, len(convolutions) - 1, 4)]
inside = keras.Model(network.input, [network.get_layer(layer.name).output for layer in shown])
maps = {layer.name: output[0] for layer, output in zip(shown, inside.predict(ready, verbose=0))}

# %%
axes = plots.show_images(some.images[:1], side=1.6)
axes = plots.show_feature_maps(maps)

# %% [markdown] lang="en"
# *A picture, and six maps of each of four convolutions, from the first to the last; yellow is strong. Early maps are
# fine and follow edges and colours. Late maps have few pixels: they no longer say where exactly, but what.*
#
# ## 5. The cut: features
#
# After the last maps the network takes the **mean of each map over all its positions** (global average pooling). So a
# picture becomes a list of numbers, its [**features**](../../docs/glossary.md#feature). The old head turned these into
# words. We cut it off, and keep the features.

# %% [markdown] lang="es"
# *Una imagen, y seis mapas de cada una de cuatro convoluciones, de la primera a la última; el amarillo indica una
# respuesta fuerte. Los primeros mapas son finos y siguen bordes y colores. Los últimos tienen pocos píxeles: ya no dicen
# dónde exactamente, sino qué.*
#
# ## 5. El corte: las características
#
# Tras los últimos mapas la red toma la **media de cada mapa en todas sus posiciones** (*global average pooling*). Así una
# imagen se convierte en una lista de números, sus [**características**](../../docs/glosario.md#característica). La
# antigua cabeza las convertía en palabras. La cortamos y nos quedamos con las características.

# %% framework="pytorch"
small.fc = nn.Identity()  # "give on what you get": the old head is gone
with torch.inference_mode():
    print(small.eval()(MiniResNet_Weights.DEFAULT.transforms()(photo)[None]).shape)

# %% framework="tensorflow"
cut = keras.Model(small.input, small.get_layer("avgpool").output)  # by hand: the same layers up to the pooling
base, prepare = load_network(BACKBONE, IMAGE_SIZE, include_top=False, pooling="avg")  # or asked for from the start
print(cut.output_shape, base.output_shape)

# %% [markdown] lang="en" framework="pytorch"
# In ResNets the head is called `fc`, in other families `classifier` or `heads`: `print(network)` tells. It is always the
# last part, so a function can find it. It can put a new head there too; that comes next.

# %% [markdown] lang="en" framework="tensorflow"
# `include_top=False` leaves the old head away, `pooling="avg"` takes the means. That is the line that you will write.
# Preprocessing, base and head together make a classifier that takes pixels. We shall need it often; here it is as a
# function.

# %% [markdown] lang="es" framework="pytorch"
# En las ResNet la cabeza se llama `fc`; en otras familias, `classifier` o `heads`: `print(network)` lo dice. Siempre es la
# última parte, así que una función puede encontrarla. También puede poner allí una cabeza nueva; es lo que sigue.

# %% [markdown] lang="es" framework="tensorflow"
# `include_top=False` deja fuera la antigua cabeza y `pooling="avg"` toma las medias. Esa es la línea que usted escribirá.
# Preprocesamiento, base y cabeza forman juntos un clasificador que recibe píxeles. Lo necesitaremos a menudo; aquí está
# como función.

# %% framework="pytorch" shows="tlhelpers.pytorch.heads.replace_head"

# %% framework="tensorflow" shows="tlhelpers.tensorflow.heads.add_head"

# %% framework="pytorch"
replace_head(network, 0)  # the backbone alone, from now on
network.to(device, memory_format=torch.channels_last)  # how pixels lie in memory: twice as fast on a processor


def features_of(images):
    """The frozen backbone's features, `(n, features)`."""
    return predict(network, DataLoader(ImageDataset(images, np.zeros(len(images)), prepare), batch_size=32))


# %% framework="tensorflow"
def features_of(images):
    """The frozen backbone's features, `(n, features)`."""
    return base.predict(prepare(images.astype("float32")), batch_size=32, verbose=0)


# %%
started = time.perf_counter()
features = features_of(data.val.images)
print(f"{len(features)} × {features.shape[1]} features, {time.perf_counter() - started:.1f} s")

# %% [markdown] lang="en"
# ## 6. A new head
#
# Which [**head**](../../docs/glossary.md#head) shall stand on the features? Three are in use. One linear layer weighs
# the features and gives one score a class (a **logit**). Textbooks also show two layers with something that is not
# linear between them. How many weights has each?

# %% [markdown] lang="es"
# ## 6. Una cabeza nueva
#
# ¿Qué [**cabeza**](../../docs/glosario.md#cabeza) ponemos sobre las características? Se usan tres. Una sola capa lineal
# pondera las características y da una puntuación por clase (un **logit**). Los libros muestran también dos capas con algo
# no lineal en medio. ¿Cuántos pesos tiene cada una?

# %% framework="pytorch"
size = features.shape[1]
heads = {
    "Linear": nn.Linear(size, num_classes),
    "Linear-ReLU-Dropout-Linear": nn.Sequential(
        nn.Linear(size, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, num_classes)
    ),
    "Flatten-256-2 (VGG)": nn.Sequential(
        nn.Flatten(), nn.Linear(512 * 7 * 7, 256), nn.ReLU(), nn.Linear(256, num_classes)
    ),
}
for name, head in heads.items():
    print(f"{name:>28}: {sum(p.numel() for p in head.parameters()):>10,} weights")

# %% framework="tensorflow"
size = features.shape[1]
heads = {
    "Dense": keras.Sequential([keras.Input((size,)), layers.Dense(num_classes)]),
    "Dense-Dropout-Dense": keras.Sequential(
        [keras.Input((size,)), layers.Dense(128, "relu"), layers.Dropout(0.5), layers.Dense(num_classes)]
    ),
    "Flatten-256-2 (VGG)": keras.Sequential(
        [keras.Input((7, 7, 512)), layers.Flatten(), layers.Dense(256, "relu"), layers.Dense(num_classes, "softmax")]
    ),
}
for name, head in heads.items():
    print(f"{name:>28}: {head.count_params():>10,} weights")

# %% [markdown] lang="en"
# The last one stands on the *maps* of VGG-16, not on their means: `Flatten` lays all 7 × 7 × 512 numbers in a row. Six
# million weights for two classes, to be learnt from a few dozen pictures! We take one linear layer. With few labels
# that is hard to beat, and there is little in it that can go wrong.

# %% [markdown] lang="es"
# La última se apoya en los *mapas* de VGG-16, no en sus medias: `Flatten` pone en fila los 7 × 7 × 512 números. ¡Seis
# millones de pesos para dos clases, que habría que aprender de unas docenas de imágenes! Nosotros tomamos una capa
# lineal. Con pocas etiquetas es difícil de superar, y hay poco en ella que pueda salir mal.

# %% framework="pytorch"
model = mini_resnet(weights="DEFAULT")
model.fc = nn.Linear(model.fc.in_features, num_classes)  # the new head, with random weights
print(model.fc)

# %% framework="tensorflow"
small_base = mini_resnet.MiniResNet(include_top=False, pooling="avg")
inputs = keras.Input(small_base.input_shape[1:])
x = mini_resnet.preprocess_input(inputs)
x = small_base(x, training=False)
outputs = layers.Dense(num_classes)(x)  # the new head, with random weights
model = keras.Model(inputs, outputs)

# %% [markdown] lang="en"
# ## 7. Freeze, and verify it
#
# The new head knows nothing yet. Its first corrections are large and senseless, and would run through the whole
# network. So the backbone is [**frozen**](../../docs/glossary.md#freeze): its weights do not learn.

# %% [markdown] lang="es"
# ## 7. Congelar, y comprobarlo
#
# La cabeza nueva aún no sabe nada. Sus primeras correcciones son grandes y sin sentido, y recorrerían toda la red. Por
# eso la red base se [**congela**](../../docs/glosario.md#congelar): sus pesos no aprenden.

# %% framework="pytorch"
for parameter in model.parameters():
    parameter.requires_grad = False
for parameter in model.fc.parameters():
    parameter.requires_grad = True

learns = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
print("learns:", learns)

# %% framework="tensorflow"
small_base.trainable = False
print("learns:", [weight.path for weight in model.trainable_weights])
print(len(model.non_trainable_weights), "arrays do not learn")

# %% framework="pytorch" shows="tlhelpers.pytorch.heads.freeze tlhelpers.pytorch.heads.count_parameters"

# %% framework="tensorflow" shows="tlhelpers.tensorflow.heads.count_parameters"

# %%
counts = count_parameters(model)
print(counts)
claim("head_is_small", 100 * counts["trainable"] / (counts["trainable"] + counts["frozen"]))

# %% [markdown] lang="en" framework="pytorch"
# Is that all? Let us verify it: we call the network once, as in training, and compare every number before and after. We
# have not even taken a step.

# %% [markdown] lang="en" framework="tensorflow"
# Is that all? Let us verify it: we call the base once as in training, frozen and not frozen, and compare every number
# before and after. We have not even taken a step.

# %% [markdown] lang="es" framework="pytorch"
# ¿Eso es todo? Comprobémoslo: llamamos una vez a la red, como en el entrenamiento, y comparamos cada número antes y
# después. Ni siquiera hemos dado un paso.

# %% [markdown] lang="es" framework="tensorflow"
# ¿Eso es todo? Comprobémoslo: llamamos una vez a la base como en el entrenamiento, congelada y sin congelar, y comparamos
# cada número antes y después. Ni siquiera hemos dado un paso.

# %% framework="pytorch"
pixels = torch.stack(
    [MiniResNet_Weights.DEFAULT.transforms()(torch.from_numpy(i).permute(2, 0, 1)) for i in some.images]
)


def moved(call):
    before = copy.deepcopy(model.state_dict())
    call()
    return [name for name, value in model.state_dict().items() if not torch.equal(value, before[name])]


moved_awake = moved(lambda: model.train()(pixels))
moved_asleep = moved(lambda: model.eval()(pixels))
print("train():", len(moved_awake), "arrays moved, such as", moved_awake[:2])
print("eval(): ", len(moved_asleep), "arrays moved")

# %% framework="tensorflow"
pictures = np.array(keras.ops.image.resize(some.images.astype("float32"), small_base.input_shape[1:3]))
pixels = mini_resnet.preprocess_input(pictures)


def moved(call):
    before = [weight.numpy() for weight in small_base.weights]
    call()
    return [w.path for w, old in zip(small_base.weights, before) if not np.array_equal(w.numpy(), old)]


moved_asleep = moved(lambda: small_base(pixels, training=True))  # frozen
small_base.trainable = True
moved_awake = moved(lambda: small_base(pixels, training=True))
moved_by_call = moved(lambda: small_base(pixels, training=False))
model.compile(
    keras.optimizers.SGD(0.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False
)
moved_in_fit = moved(lambda: model.fit(pictures, some.labels, verbose=0))  # rate 0: no weight moves
small_base.trainable = False
print("frozen:", len(moved_asleep), "arrays moved; not frozen:", len(moved_awake), "such as", moved_awake[0])
print("called with training=False:", len(moved_by_call), "and the same inside of fit:", len(moved_in_fit))

# %% [markdown] lang="en" framework="pytorch"
# `requires_grad = False` is not enough. [**BatchNorm**](../../docs/glossary.md#batch-normalisation) keeps a running mean
# and spread of what it sees. These are no weights with a gradient: in `train()` they move with every batch, frozen or
# not. `eval()` stops that. So a training loop that begins with `model.train()` must put frozen BatchNorm to sleep again.

# %% [markdown] lang="en" framework="tensorflow"
# [**BatchNorm**](../../docs/glossary.md#batch-normalisation) keeps a running mean and spread of what it sees, and these
# move in training without any gradient. In Keras `trainable = False` stops that too: a frozen BatchNorm runs as in use.
#
# But when you *unfreeze* the base later, it wakes up. Many texts call the base with `training=False` against that, as we
# did above. A call of our own obeys. Inside `fit` it does not: Keras 3 hands its own `training=True` to every layer. So
# verify, and when the base shall learn, freeze its BatchNorm layers by name.

# %% [markdown] lang="es" framework="pytorch"
# `requires_grad = False` no basta. [**BatchNorm**](../../docs/glosario.md#normalización-por-lotes) lleva una media y una
# dispersión de lo que va viendo. No son pesos con gradiente: en `train()` se mueven con cada lote, congelados o no.
# `eval()` lo impide. Por eso un bucle que empieza con `model.train()` tiene que volver a dormir la BatchNorm congelada.

# %% [markdown] lang="es" framework="tensorflow"
# [**BatchNorm**](../../docs/glosario.md#normalización-por-lotes) lleva una media y una dispersión de lo que va viendo, y
# estas se mueven al entrenar sin gradiente alguno. En Keras `trainable = False` también lo impide: una BatchNorm congelada
# trabaja como en uso.
#
# Pero cuando más adelante *descongele* la base, despertará. Contra eso, muchos textos llaman a la base con
# `training=False`, como hicimos arriba. Una llamada nuestra lo respeta. Dentro de `fit`, no: Keras 3 pasa su propio
# `training=True` a todas las capas. Así que compruébelo y, cuando la base deba aprender, congele una a una sus capas
# BatchNorm.

# %%
claim("frozen_does_not_move", len(moved_asleep))

# %% [markdown] lang="en"
# **Your turn (1).** Write it yourself, for a network that you have not seen before. Run the cell: the check says what is
# missing.

# %% [markdown] lang="es"
# **Le toca a usted (1).** Escríbalo usted, para una red que aún no ha visto. Ejecute la celda: la comprobación dice qué
# falta.


# %% framework="pytorch" tags=["folded"]
def check_freeze(freeze_body):
    net = models.mobilenet_v2(num_classes=num_classes).train()
    freeze_body(net)
    head = {id(parameter) for parameter in net.classifier.parameters()}
    body_learns = any(p.requires_grad for p in net.parameters() if id(p) not in head)
    if body_learns:
        print("✘", words["body_learns"])
    elif not all(parameter.requires_grad for parameter in net.classifier.parameters()):
        print("✘", words["head_frozen"])
    elif any(part.training for part in net.modules() if isinstance(part, nn.BatchNorm2d)):
        print("✘", words["batch_norm_awake"])
    else:
        print("✔", words["right"])


# %% framework="tensorflow" tags=["folded"]
def check_freeze(freeze_body):
    net = keras.applications.MobileNetV2(weights=None, include_top=False, pooling="avg", input_shape=(64, 64, 3))
    whole = keras.Sequential([net, layers.Dense(num_classes)])
    freeze_body(net)
    before = [weight.numpy() for weight in net.weights]
    net(np.ones((2, 64, 64, 3), "float32"), training=True)
    if net.trainable_weights:
        print("✘", words["body_learns"])
    elif len(whole.trainable_weights) != 2:
        print("✘", words["head_frozen"])
    elif any(not np.array_equal(w.numpy(), old) for w, old in zip(net.weights, before)):
        print("✘", words["batch_norm_awake"])
    else:
        print("✔", words["right"])


# %% framework="pytorch"
def freeze_body(net):
    """Freeze all of `net`, a MobileNetV2, but its head `net.classifier`; BatchNorm shall not move either."""
    # write here


check_freeze(freeze_body)


# %% framework="tensorflow"
def freeze_body(net):
    """Freeze `net`, a base without its head."""
    # write here


check_freeze(freeze_body)


# %% framework="pytorch" tags=["solution"]
def freeze_body(net):
    for parameter in net.features.parameters():
        parameter.requires_grad = False
    net.features.eval()


check_freeze(freeze_body)


# %% framework="tensorflow" tags=["solution"]
def freeze_body(net):
    net.trainable = False


check_freeze(freeze_body)

# %% [markdown] lang="en"
# **Your turn (2).** A head of two layers: from the features to 64 numbers, ReLU, dropout of one half, and from there to
# one logit a class. No softmax: the loss does that.

# %% [markdown] lang="es"
# **Le toca a usted (2).** Una cabeza de dos capas: de las características a 64 números, ReLU, un *dropout* de la mitad y
# de ahí un logit por clase. Sin softmax: de eso se encarga la pérdida.


# %% framework="pytorch" tags=["folded"]
def check_head(head):
    if not isinstance(head, nn.Module):
        print("✘", words["no_head"])
        return
    kinds = [type(part).__name__ for part in head.modules() if not list(part.children())]
    out = head.eval()(torch.randn(5, 256))
    if tuple(out.shape) != (5, 2):
        print("✘", words["head_shape"], tuple(out.shape))
    elif "Softmax" in kinds or torch.allclose(out.sum(1), torch.ones(5)):
        print("✘", words["head_softmax"])
    elif kinds != ["Linear", "ReLU", "Dropout", "Linear"]:
        print("✘", words["head_layers"], kinds)
    else:
        print("✔", words["right"], f"({sum(p.numel() for p in head.parameters()):,})")


# %% framework="tensorflow" tags=["folded"]
def check_head(head):
    if not isinstance(head, keras.layers.Layer):
        print("✘", words["no_head"])
        return
    out = np.array(head(np.random.default_rng(0).normal(size=(5, 256)).astype("float32")))
    kinds = [type(layer).__name__ for layer in head.layers]
    if out.shape != (5, 2):
        print("✘", words["head_shape"], out.shape)
    elif np.allclose(out.sum(1), 1, atol=1e-4):
        print("✘", words["head_softmax"])
    elif kinds not in (["Dense", "Dropout", "Dense"], ["Dense", "ReLU", "Dropout", "Dense"]):
        print("✘", words["head_layers"], kinds)
    else:
        print("✔", words["right"], f"({head.count_params():,})")


# %% framework="pytorch"
def two_layers(size, num_classes):
    """A head on `size` features."""
    # write here


check_head(two_layers(256, 2))


# %% framework="tensorflow"
def two_layers(size, num_classes):
    """A head on `size` features, a `keras.Sequential`."""
    # write here


check_head(two_layers(256, 2))


# %% framework="pytorch" tags=["solution"]
def two_layers(size, num_classes):
    return nn.Sequential(nn.Linear(size, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, num_classes))


check_head(two_layers(256, 2))


# %% framework="tensorflow" tags=["solution"]
def two_layers(size, num_classes):
    return keras.Sequential(
        [keras.Input((size,)), layers.Dense(64, "relu"), layers.Dropout(0.5), layers.Dense(num_classes)]
    )


check_head(two_layers(256, 2))

# %% [markdown] lang="en"
# ## 8. Training
#
# Which labels may we use? Say `LABELS` for each class. A fifth of them we hold out: on these we see when learning stops
# to help. They are labels too, so they count.

# %% [markdown] lang="es"
# ## 8. Entrenar
#
# ¿Qué etiquetas podemos usar? Digamos `LABELS` por clase. Una quinta parte la apartamos: con ella vemos cuándo deja de
# ayudar el aprendizaje. También son etiquetas, así que cuentan.

# %%
most = int(np.bincount(data.train.labels).min())
LABELS, FEW_LABELS = min(LABELS, most), min(FEW_LABELS, most)


def draw_labelled(n, seed):
    """`n` labelled images of each class: x, y, and x_val, y_val, the last fifth, to decide when to stop."""
    drawn = data.train.per_class(n, seed=seed)
    x, x_val, y, y_val = train_test_split(
        drawn.images, drawn.labels, test_size=0.2, stratify=drawn.labels, random_state=seed
    )
    return x, y, x_val, y_val


x, y, x_val, y_val = draw_labelled(LABELS, SEED)
features, val_features = features_of(x), features_of(x_val)
print(x.shape, x_val.shape, features.shape)

# %% [markdown] lang="en"
# The backbone is frozen, so a picture's features never change. We compute them **once** and train the head on them.
#
# What is a step? Look at a [batch](../../docs/glossary.md#batch); measure with the **cross-entropy** how wrong the answers
# are (0 when the right class gets probability 1); find for each weight the direction in which that falls, its
# [gradient](../../docs/glossary.md#gradient); move every weight a little that way. The
# [optimizer](../../docs/glossary.md#optimizer), here Adam, decides how far.

# %% [markdown] lang="es"
# La red base está congelada, así que las características de una imagen no cambian nunca. Las calculamos **una vez** y
# entrenamos la cabeza con ellas.
#
# ¿Qué es un paso? Mirar un [lote](../../docs/glosario.md#lote); medir con la **entropía cruzada** cuánto se equivocan las
# respuestas (0 cuando la clase correcta recibe probabilidad 1); hallar para cada peso la dirección en la que eso baja, su
# [gradiente](../../docs/glosario.md#gradiente); mover un poco cada peso hacia allí. El
# [optimizador](../../docs/glosario.md#optimizador), aquí Adam, decide cuánto.

# %% framework="pytorch"
torch.manual_seed(SEED)
head = nn.Linear(features.shape[1], num_classes)
optimizer = optim.AdamW(head.parameters(), lr=1e-3)
loader = DataLoader(TensorDataset(torch.from_numpy(features), torch.from_numpy(y)), batch_size=16, shuffle=True)
for epoch in range(5):
    for batch, labels in loader:
        logits = head(batch)
        loss = F.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, f"loss {loss.item():.3f}")

# %% framework="tensorflow"
keras.utils.set_random_seed(SEED)
head = keras.Sequential([keras.Input(features.shape[1:]), layers.Dense(num_classes)])
head.compile(
    optimizer=keras.optimizers.AdamW(1e-3),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),  # the head gives logits, not probabilities
    metrics=["accuracy"],
    jit_compile=False,
)
seen = head.fit(features, y, validation_data=(val_features, y_val), batch_size=16, epochs=5, verbose=2)
loss, accuracy = head.evaluate(val_features, y_val, verbose=0)
print(f"loss {loss:.3f}, accuracy {accuracy:.1%}")

# %% [markdown] lang="en" framework="pytorch"
# These six lines inside the loop are the heart of PyTorch. Around them belongs some housekeeping: `train()` and
# `eval()`, the device, sums for the loss, and the rule that says when to stop. Here is all of it, as the rest of the
# course uses it.

# %% [markdown] lang="en" framework="tensorflow"
# `compile` says how to learn, `fit` does it. Inside `fit` stands a loop like the next one. You need it when you want
# something that `fit` does not offer, such as two optimizers.

# %% [markdown] lang="es" framework="pytorch"
# Las líneas dentro del bucle son el corazón de PyTorch. A su alrededor hace falta algo de orden: `train()` y `eval()`, el
# dispositivo, sumas para la pérdida y la regla que dice cuándo parar. Aquí está todo, tal como lo usa el resto del curso.

# %% [markdown] lang="es" framework="tensorflow"
# `compile` dice cómo aprender; `fit` lo hace. Dentro de `fit` hay un bucle como el siguiente. Lo necesitará cuando quiera
# algo que `fit` no ofrece, como dos optimizadores.

# %% framework="pytorch" shows="tlhelpers.pytorch.training.train_epoch tlhelpers.pytorch.training.evaluate"

# %% framework="tensorflow"
loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
optimizer = keras.optimizers.AdamW(1e-3)
batches = tf.data.Dataset.from_tensor_slices((features, y)).shuffle(len(y), seed=SEED).batch(16)
for epoch in range(5):
    for batch, labels in batches:
        with tf.GradientTape() as tape:
            loss = loss_of(labels, head(batch, training=True))
        gradients = tape.gradient(loss, head.trainable_variables)
        optimizer.apply_gradients(zip(gradients, head.trainable_variables))
    print(epoch, f"loss {float(loss):.3f}")

# %% framework="pytorch" shows="tlhelpers.pytorch.training.fit"

# %% framework="tensorflow" shows="tlhelpers.tensorflow.training.fit"

# %% [markdown] lang="en"
# When to stop? Trained for long, a network learns its pictures by heart; then the loss on pictures that it does *not*
# learn from rises again. So we watch the **validation loss**. When it has not fallen for `PATIENCE` rounds, we stop, and
# put the weights of the best round back: [early stopping](../../docs/glossary.md#early-stopping). On the way
# there the learning rate is lowered, each time a third of the patience has gone: often the steps had only become too
# long.
#
# With ten labels a pass over the data is one step, with fifty it is five. To give all the same patience, we count in
# **rounds of 20 steps**, however many pictures there are.

# %% [markdown] lang="es"
# ¿Cuándo parar? Si se entrena mucho, una red se aprende de memoria sus imágenes; entonces vuelve a subir la pérdida en las
# imágenes de las que *no* aprende. Por eso vigilamos la **pérdida de validación**. Cuando lleva `PATIENCE` rondas sin
# bajar, paramos y recuperamos los pesos de la mejor ronda: [parada temprana](../../docs/glosario.md#parada-temprana). Por
# el camino, cada vez que se agota un tercio de la paciencia, se baja la tasa de aprendizaje: muchas veces los pasos solo
# se habían quedado largos.
#
# Con diez etiquetas, una pasada por los datos es un paso; con cincuenta, cinco. Para que todos tengan la misma paciencia,
# contamos en **rondas de 20 pasos**, sean cuantas sean las imágenes.


# %% framework="pytorch"
def rounds_of(dataset, batch_size=16):
    """Batches of a dataset, 20 a round, shuffled, over and over."""
    sampler = RandomSampler(dataset, num_samples=20 * batch_size)
    return DataLoader(dataset, batch_size, sampler=sampler)


def train_head(features, y, val_features, y_val, seed):
    torch.manual_seed(seed)
    head = nn.Linear(features.shape[1], num_classes)
    optimizer = optim.AdamW(head.parameters(), lr=1e-3)
    train = TensorDataset(torch.from_numpy(features), torch.from_numpy(y))
    val = TensorDataset(torch.from_numpy(val_features), torch.from_numpy(y_val))
    return head, fit(
        head, optimizer, rounds_of(train), DataLoader(val, batch_size=64), patience=PATIENCE, epochs=ROUNDS
    )


head, history = train_head(features, y, val_features, y_val, SEED)


# %% framework="tensorflow"
def rounds_of(x, y, batch_size=16):
    """Batches of arrays, 20 a round, shuffled, over and over."""
    return tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(y)).repeat().batch(batch_size).take(20)


def train_head(features, y, val_features, y_val, seed):
    keras.utils.set_random_seed(seed)
    head = keras.Sequential([keras.Input(features.shape[1:]), layers.Dense(num_classes)])
    val = tf.data.Dataset.from_tensor_slices((val_features, y_val)).batch(64)
    return head, fit(head, keras.optimizers.AdamW(1e-3), rounds_of(features, y), val, patience=PATIENCE, epochs=ROUNDS)


head, history = train_head(features, y, val_features, y_val, SEED)

# %%
axes = plots.plot_training(history, language=LANGUAGE)

# %% [markdown] lang="en"
# *[Loss](../../docs/glossary.md#loss) and accuracy after each round. The dotted line marks the round whose weights were
# kept: the one with the lowest validation loss.*
#
# Two more things that you will meet in every script: a rate that falls while training goes on (a
# [schedule](../../docs/glossary.md#schedule)), and a file of the best weights so far.

# %% [markdown] lang="es"
# *[Pérdida](../../docs/glosario.md#función-de-pérdida) y exactitud tras cada ronda. La línea de puntos marca la ronda cuyos
# pesos se han conservado: la de menor pérdida de validación.*
#
# Dos cosas más que encontrará en cualquier programa: una tasa que baja a medida que avanza el entrenamiento (un
# [programa de la tasa](../../docs/glosario.md#programa-de-la-tasa)) y un archivo con los mejores pesos hasta el momento.

# %% framework="pytorch"
other = nn.Linear(features.shape[1], num_classes)
optimizer = optim.AdamW(other.parameters(), lr=1e-2)
schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)  # down to zero in ten rounds
loader = rounds_of(TensorDataset(torch.from_numpy(features), torch.from_numpy(y)))
for _ in range(10):
    loss, _ = train_epoch(other, loader, optimizer)
    schedule.step()
    print(f"rate {schedule.get_last_lr()[0]:.4f} loss {loss:.3f}")
    torch.save(other.state_dict(), folder / "head.pt")

# %% framework="tensorflow"
other = keras.Sequential([keras.Input(features.shape[1:]), layers.Dense(num_classes)])
rate = keras.optimizers.schedules.CosineDecay(1e-2, decay_steps=200)  # down to zero in ten rounds
other.compile(
    keras.optimizers.AdamW(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False
)
keep = keras.callbacks.ModelCheckpoint(folder / "head.keras", monitor="val_loss", save_best_only=True)
seen = other.fit(
    rounds_of(features, y), validation_data=(val_features, y_val), epochs=10, callbacks=[keep], shuffle=False, verbose=0
)
print([round(loss, 3) for loss in seen.history["loss"]], (folder / "head.keras").stat().st_size, "bytes")

# %% [markdown] lang="en"
# **Your turn (3).** The heart of it, from memory.

# %% [markdown] lang="es"
# **Le toca a usted (3).** El corazón de todo esto, de memoria.


# %% framework="pytorch" tags=["folded"]
def check_step(step):
    torch.manual_seed(0)
    net = nn.Linear(8, 2)
    batch, labels = torch.randn(64, 8), torch.randint(0, 2, (64,))
    optimizer = optim.SGD(net.parameters(), lr=0.5)
    start, before = F.cross_entropy(net(batch), labels).item(), net.weight.detach().clone()
    step(net, batch, labels, optimizer)
    if torch.equal(before, net.weight):
        print("✘", words["did_not_move"])
        return
    gradient = torch.autograd.grad(F.cross_entropy(net(batch), labels), net.weight)[0]
    step(net, batch, labels, optimizer)
    if net.weight.grad is not None and not torch.allclose(net.weight.grad, gradient, atol=1e-6):
        print("✘", words["gradients_add_up"])
    elif F.cross_entropy(net(batch), labels).item() >= start:
        print("✘", words["loss_did_not_fall"])
    else:
        print("✔", words["right"])


# %% framework="tensorflow" tags=["folded"]
def check_step(make_ready):
    keras.utils.set_random_seed(0)
    net = keras.Sequential([keras.Input((8,)), layers.Dense(2)])
    batch = np.random.default_rng(0).normal(size=(64, 8)).astype("float32")
    labels = (batch[:, 0] > 0).astype("int32")
    make_ready(net)
    if not getattr(net, "compiled", False):
        print("✘", words["not_compiled"])
    elif not getattr(net.loss, "_fn_kwargs", {}).get("from_logits"):
        print("✘", words["from_logits"])
    elif net.optimizer.learning_rate.numpy() > 0.011:
        print("✘", words["rate_too_high"])
    elif net.fit(batch, labels, epochs=40, verbose=0).history["accuracy"][-1] < 0.8:
        print("✘", words["loss_did_not_fall"])
    else:
        print("✔", words["right"])


# %% framework="pytorch"
def step(net, batch, labels, optimizer):
    """One step of training."""
    # write here


check_step(step)


# %% framework="tensorflow"
def make_ready(net):
    """Compile `net`, whose outputs are logits: AdamW with rate 0.01, cross-entropy for integer labels, accuracy."""
    # write here


check_step(make_ready)


# %% framework="pytorch" tags=["solution"]
def step(net, batch, labels, optimizer):
    loss = F.cross_entropy(net(batch), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


check_step(step)


# %% framework="tensorflow" tags=["solution"]
def make_ready(net):
    net.compile(
        optimizer=keras.optimizers.AdamW(0.01),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )


check_step(make_ready)

# %% [markdown] lang="en"
# On a GPU two more lines matter: numbers of 16 bits in place of 32 where that does no harm, and the order in which pixels
# lie in memory. How far off are 16 bits?

# %% [markdown] lang="es"
# En una GPU importan dos líneas más: números de 16 bits en lugar de 32 donde no hace daño, y el orden en que los píxeles
# están en la memoria. ¿Cuánto se desvían 16 bits?

# %% framework="pytorch"
network.to(device, memory_format=torch.channels_last)  # the colours of a pixel side by side
batch = torch.stack([prepare(torch.from_numpy(image).permute(2, 0, 1)) for image in x[:8]]).to(device)
with torch.inference_mode():
    exact = network(batch)
    with torch.autocast(device.type, dtype=torch.bfloat16):  # in training around `model(x)` and the loss
        short = network(batch)
print(exact.dtype, short.dtype, f"largest difference {(exact - short.float()).abs().max() / exact.abs().max():.1%}")

# %% framework="tensorflow"
print("now:", keras.mixed_precision.dtype_policy())  # on a GPU, before the model is made:
policy = keras.mixed_precision.DTypePolicy("mixed_bfloat16")  # keras.mixed_precision.set_global_policy(policy)
exact, short = (
    keras.ops.cast(layers.Dense(num_classes, kernel_initializer="ones", dtype=dtype)(val_features), "float32")
    for dtype in ("float32", policy)
)
difference = keras.ops.max(keras.ops.abs(exact - short)) / keras.ops.max(keras.ops.abs(exact))
print("largest difference", f"{float(difference):.1%}")

# %% [markdown] lang="en"
# ## 9. What do features computed once save?
#
# We trained on features, not on pictures. Had the frozen backbone run in each of ten passes over the pictures, it would
# have computed the same numbers ten times. How much time does that cost? Guess, then look.

# %% [markdown] lang="es"
# ## 9. ¿Qué ahorra calcular las características una sola vez?
#
# Hemos entrenado con características, no con imágenes. Si la red base congelada hubiera trabajado en cada una de diez
# pasadas por las imágenes, habría calculado diez veces los mismos números. ¿Cuánto tiempo cuesta eso? Apueste y mire.

# %% framework="pytorch"
timed_images, timed_labels = data.train.images[: 6 * LABELS], data.train.labels[: 6 * LABELS]
whole, _ = load_network(BACKBONE)
freeze(whole)
replace_head(whole, num_classes)
whole.to(device, memory_format=torch.channels_last)
optimizer = optim.AdamW([p for p in whole.parameters() if p.requires_grad], lr=1e-3)
pictures = DataLoader(ImageDataset(timed_images, timed_labels, prepare), batch_size=16, shuffle=True)
evaluate(whole, pictures)  # the first pass of all prepares memory
started = time.perf_counter()
for _ in range(10):
    train_epoch(whole, pictures, optimizer)
every_time = time.perf_counter() - started

# %% framework="tensorflow"
timed_images, timed_labels = data.train.images[: 6 * LABELS], data.train.labels[: 6 * LABELS]
base.trainable = False
whole = add_head(base, prepare, num_classes)
whole.compile(
    keras.optimizers.AdamW(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False
)
pictures = tf.data.Dataset.from_tensor_slices((timed_images, timed_labels)).shuffle(len(timed_labels)).batch(16)
whole.fit(pictures.take(2), epochs=1, shuffle=False, verbose=0)  # the first batches trace the graph
started = time.perf_counter()
whole.fit(pictures, epochs=10, shuffle=False, verbose=0)
every_time = time.perf_counter() - started

# %% framework="pytorch"
started = time.perf_counter()
computed = TensorDataset(torch.from_numpy(features_of(timed_images)), torch.from_numpy(timed_labels))
optimizer = optim.AdamW(other.parameters(), lr=1e-3)
for _ in range(10):
    train_epoch(other, DataLoader(computed, batch_size=16, shuffle=True), optimizer)
once = time.perf_counter() - started

# %% framework="tensorflow"
other.fit(features[:32], y[:32], batch_size=16, epochs=1, verbose=0)
started = time.perf_counter()
computed = features_of(timed_images)
other.fit(computed, timed_labels, batch_size=16, epochs=10, verbose=0)
once = time.perf_counter() - started

# %%
ax = plots.plot_seconds({words["every_time"]: every_time, words["once"]: once}, language=LANGUAGE)
claim("features_once_are_faster", every_time / once)

# %% [markdown] lang="en"
# *Ten passes over some of the training pictures to train a head, in seconds; shorter is better.*
#
# Ten times less to compute is not always ten times as fast. Calling `fit` or a loop costs time of its own, and beside a
# small network at 64 pixels that counts. The larger the backbone, the nearer to ten.
#
# It works only as long as nothing changes: neither the backbone nor the pictures. Pictures that are flipped and shifted
# at random ([augmentation](../../docs/glossary.md#augmentation)) are new ones each time.
#
# ## 10. Fine-tuning
#
# The backbone learnt from other pictures. Can it adapt to ours? [**Fine-tuning**](../../docs/glossary.md#fine-tuning)
# lets it learn too, at a low [**rate**](../../docs/glossary.md#learning-rate): ten to a hundred times below that of a new
# head, so that it is corrected and not overwritten. And only after the head has been trained.

# %% [markdown] lang="es"
# *Diez pasadas por una parte de las imágenes de entrenamiento para entrenar una cabeza, en segundos; cuanto menos, mejor.*
#
# Calcular diez veces menos no siempre es ir diez veces más rápido. Llamar a `fit` o a un bucle cuesta su propio tiempo, y
# junto a una red pequeña, con 64 píxeles, se nota. Cuanto mayor es la red base, más cerca de diez.
#
# Solo funciona mientras nada cambie: ni la red base ni las imágenes. Las imágenes que se reflejan y desplazan al azar
# ([aumento de datos](../../docs/glosario.md#aumento-de-datos)) son nuevas cada vez.
#
# ## 10. Ajuste fino
#
# La red base aprendió de otras imágenes. ¿Puede adaptarse a las nuestras? El [**ajuste
# fino**](../../docs/glosario.md#ajuste-fino) (*fine-tuning*) le permite aprender también, con una
# [**tasa**](../../docs/glosario.md#tasa-de-aprendizaje) baja: entre diez y cien veces menor que la de una cabeza nueva,
# para corregirla sin borrar lo que sabe. Y solo después de haber entrenado la cabeza.

# %% framework="pytorch"
shift = IMAGE_SIZE // 8
augment = v2.Compose([v2.RandomHorizontalFlip(), v2.RandomCrop(IMAGE_SIZE, shift, padding_mode="reflect"), prepare])


def train_frozen(x, y, x_val, y_val, seed):
    """A frozen backbone with a head trained on its features."""
    head, history = train_head(features_of(x), y, features_of(x_val), y_val, seed)
    model, _ = load_network(BACKBONE)
    freeze(model)
    replace_head(model, num_classes).load_state_dict(head.state_dict())
    return model.to(device, memory_format=torch.channels_last), len(history["loss"])


# %% framework="tensorflow"
augment = keras.Sequential(
    [layers.RandomFlip("horizontal"), layers.RandomTranslation(1 / 8, 1 / 8, fill_mode="reflect")]
)


def train_frozen(x, y, x_val, y_val, seed):
    """A frozen backbone with a head trained on its features."""
    head, history = train_head(features_of(x), y, features_of(x_val), y_val, seed)
    body, _ = load_network(BACKBONE, IMAGE_SIZE, include_top=False, pooling="avg")
    body.trainable = False
    model = add_head(body, prepare, num_classes, augment)
    model.layers[-1].set_weights(head.layers[-1].get_weights())
    return model, len(history["loss"])


# %% framework="pytorch"
def train_model(model, optimizer, x, y, x_val, y_val):
    train, val = ImageDataset(x, y, augment), DataLoader(ImageDataset(x_val, y_val, prepare), batch_size=64)
    history = fit(model, optimizer, rounds_of(train), val, patience=PATIENCE, epochs=ROUNDS)
    return len(history["loss"])


def fine_tune(x, y, x_val, y_val, seed):
    """From the frozen model on: all weights learn, the head ten times as fast as the rest."""
    model, rounds = train_frozen(x, y, x_val, y_val, seed)
    model.requires_grad_(True)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            freeze(part)  # it keeps its statistics
    *body, head = model.children()
    groups = [
        {"params": [p for part in body for p in part.parameters() if p.requires_grad], "lr": FINE_TUNE_RATE},
        {"params": head.parameters(), "lr": 10 * FINE_TUNE_RATE},
    ]
    return model, rounds + train_model(model, optim.AdamW(groups), x, y, x_val, y_val)


# %% framework="tensorflow"
def train_model(model, optimizer, x, y, x_val, y_val):
    val = tf.data.Dataset.from_tensor_slices((x_val, y_val)).batch(64)
    history = fit(model, optimizer, rounds_of(x, y), val, patience=PATIENCE, epochs=ROUNDS)
    return len(history["loss"])


def fine_tune(x, y, x_val, y_val, seed):
    """From the frozen model on: all weights learn, at a low rate."""
    model, rounds = train_frozen(x, y, x_val, y_val, seed)
    body = next(layer for layer in model.layers if layer.name == base.name)
    body.trainable = True
    for layer in body.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False  # it keeps its statistics
    # `fit` compiles anew: what learns is decided there, and a change of `trainable` after it has no effect
    return model, rounds + train_model(model, keras.optimizers.AdamW(FINE_TUNE_RATE), x, y, x_val, y_val)


# %% [markdown] lang="en" framework="pytorch"
# The optimizer holds two **groups**, each with a rate of its own. BatchNorm stays asleep: `train_epoch` sees that it does
# not learn.

# %% [markdown] lang="en" framework="tensorflow"
# Keras's `fit` has one optimizer with one rate for all that learns. The head was trained before, so the low rate does it
# no harm. (Two rates are two optimizers in a loop with `GradientTape`.) Whoever changes `trainable` must compile again,
# or nothing changes, and nothing says so.

# %% [markdown] lang="es" framework="pytorch"
# El optimizador tiene dos **grupos**, cada uno con su tasa. BatchNorm sigue dormida: `train_epoch` ve que no aprende.

# %% [markdown] lang="es" framework="tensorflow"
# `fit` de Keras tiene un optimizador con una sola tasa para todo lo que aprende. La cabeza ya está entrenada, así que la
# tasa baja no la perjudica. (Dos tasas son dos optimizadores en un bucle con `GradientTape`.) Quien cambie `trainable`
# debe compilar de nuevo; si no, no cambia nada, y nada lo avisa.

# %% [markdown] lang="en"
# ## 11. Is it worth it? A fair comparison
#
# Now the question of the lesson. With the *same* labels, how far does each of three ways get?
#
# - **frozen**: the backbone as it is, a linear head on its features;
# - **fine-tuned**: then all of it, at a low rate;
# - **from scratch**: the same architecture, all weights random, all of it trained.
#
# Fair means: each way sees the same labelled images, those that decide when to stop counted in. Each stops by the same
# rule, and may go on as long as that rule lets it. Each is repeated with several
# [**seeds**](../../docs/glossary.md#seed), which draw *other images* and other random weights.

# %% [markdown] lang="es"
# ## 11. ¿Merece la pena? Una comparación justa
#
# Ahora, la pregunta de la lección. Con las *mismas* etiquetas, ¿hasta dónde llega cada una de tres maneras?
#
# - **congelada**: la red base tal cual, con una cabeza lineal sobre sus características;
# - **ajuste fino**: después, toda ella, con una tasa baja;
# - **desde cero**: la misma arquitectura, con todos los pesos al azar, entrenada entera.
#
# Justa quiere decir: cada manera ve las mismas imágenes etiquetadas, contando las que deciden cuándo parar. Cada una para
# según la misma regla y puede seguir mientras esa regla se lo permita. Y cada una se repite con varias
# [**semillas**](../../docs/glosario.md#semilla), que eligen *otras imágenes* y otros pesos al azar.


# %% framework="pytorch"
def train_scratch(x, y, x_val, y_val, seed):
    """The same architecture, all weights random, all of it trained."""
    torch.manual_seed(seed)
    model, _ = load_network(BACKBONE, pretrained=False, num_classes=num_classes)
    model.to(device, memory_format=torch.channels_last)
    return model, train_model(model, optim.AdamW(model.parameters(), lr=1e-3), x, y, x_val, y_val)


def answers_of(model, images):
    """The most probable class of each image."""
    return predict(model, DataLoader(ImageDataset(images, np.zeros(len(images)), prepare), batch_size=64)).argmax(1)


# %% framework="tensorflow"
def train_scratch(x, y, x_val, y_val, seed):
    """The same architecture, all weights random, all of it trained, BatchNorm too."""
    keras.utils.set_random_seed(seed)
    body, _ = load_network(BACKBONE, IMAGE_SIZE, pretrained=False, include_top=False, pooling="avg")
    model = add_head(body, prepare, num_classes, augment)
    return model, train_model(model, keras.optimizers.AdamW(1e-3), x, y, x_val, y_val)


def answers_of(model, images):
    """The most probable class of each image."""
    return model.predict(images, batch_size=64, verbose=0).argmax(1)


# %% [markdown] lang="en"
# The test images are looked at here, once for each trained network, and nothing is chosen by them.

# %% [markdown] lang="es"
# Las imágenes de prueba se miran aquí, una vez por cada red entrenada, y nada se elige por ellas.

# %%
ways = {"frozen": train_frozen, "fine_tuned": fine_tune, "scratch": train_scratch}
counts = (FEW_LABELS, LABELS)
seeds = [100 * SEED + k for k in range(SEEDS)]
right, rounds, seconds, kept = {}, {}, {}, {}
for n in counts:
    for seed in seeds:
        labelled = draw_labelled(n, seed)
        for way, train in ways.items():
            started = time.perf_counter()
            model, used = train(*labelled, seed)
            seconds.setdefault((way, n), []).append(time.perf_counter() - started)
            rounds.setdefault((way, n), []).append(used)
            right.setdefault((way, n), []).append(answers_of(model, data.test.images) == data.test.labels)
            kept[way] = model  # the last one, with most labels
        print(n, words["labels"], words["seed"], seed, "✔", flush=True)

# %%
estimates = {
    key: metrics.accuracy_estimate([run.mean() for run in runs], len(data.test)) for key, runs in right.items()
}
for (way, n), estimate in estimates.items():
    steps = 20 * np.mean(rounds[way, n])
    print(f"{n:>3} {words['labels']}  {words[way]:>12}: {estimate}  {steps:5.0f} {words['steps']}  "
          f"{np.mean(seconds[way, n]):5.1f} s")  # fmt: skip

# %% tags=["folded"]
from tlhelpers.claims import record_result

for (way, n), estimate in estimates.items():  # for the table of the README
    record_result(
        "accuracy", method=way, accuracy=estimate.value, low=estimate.low, high=estimate.high, data=DATASET,
        backbone=BACKBONE, labels_a_class=n, seconds=float(np.mean(seconds[way, n])),
        steps=float(20 * np.mean(rounds[way, n])), test_images=len(data.test), seeds=SEEDS,
    )  # fmt: skip

# %%
curves = {words[way]: np.array([[run.mean() for run in right[way, n]] for n in counts]).T for way in ways}
ax = plots.plot_accuracy_over_labels(counts, curves, chance=1 / num_classes, language=LANGUAGE)

# %% [markdown] lang="en"
# *Test accuracy against the number of labelled images of each class. Lines join the means; pale marks are single seeds.
# The lines above the figure add 95 % intervals, steps and seconds.*
#
# Which differences are more than chance? We compare seed by seed and image by image. A difference whose
# [interval](../../docs/glossary.md#confidence-interval) contains zero is one that this test cannot see.

# %% [markdown] lang="es"
# *Exactitud en la prueba según el número de imágenes etiquetadas de cada clase. Las líneas unen las medias; cada marca
# pálida es una semilla. Las líneas de texto encima de la figura añaden intervalos del 95 %, pasos y segundos.*
#
# ¿Qué diferencias son algo más que azar? Comparamos semilla a semilla e imagen a imagen. Una diferencia cuyo
# [intervalo](../../docs/glosario.md#intervalo-de-confianza) contiene el cero es una que esta prueba no puede ver.

# %%
gain = {n: metrics.paired_difference(right["scratch", n], right["frozen", n]) for n in counts}
tuning = {n: metrics.paired_difference(right["frozen", n], right["fine_tuned", n]) for n in counts}
for n in counts:
    print(n, words["labels"])
    print("   ", words["frozen_vs_scratch"], metrics.describe_difference(gain[n], LANGUAGE))
    print("   ", words["tuned_vs_frozen"], metrics.describe_difference(tuning[n], LANGUAGE))

# %%
claim("few_labels_gain", 100 * gain[FEW_LABELS])
claim("gain_shrinks", 100 * (gain[FEW_LABELS].value - gain[LABELS].value))
claim("tuning_does_no_harm", 100 * min(difference.value for difference in tuning.values()))

# %% [markdown] lang="en"
# So transfer saves labels: it is far ahead when they are few. On the course's drawings, with `LABELS` labels a class,
# training from scratch comes near, if it is allowed to go on until it stops improving. It takes many times the seconds:
# each of its steps runs through the whole network and back, where a step of the frozen one touches a few hundred
# numbers. The README has the same table for real photos.
#
# ## 12. Where does it go wrong?
#
# One number hides who is mistaken for whom. In the [**confusion matrix**](../../docs/glossary.md#confusion-matrix) rows
# are true classes, columns are answers.

# %% [markdown] lang="es"
# Así que la transferencia ahorra etiquetas: cuando son pocas, va muy por delante. Con los dibujos del curso y `LABELS`
# etiquetas por clase, empezar de cero se acerca, si se le deja seguir hasta que ya no mejora. Tarda muchas veces más: cada
# uno de sus pasos recorre la red entera, de ida y vuelta, mientras que uno de la congelada toca unos cientos de números.
# El README tiene la misma tabla con fotos reales.
#
# ## 12. ¿Dónde se equivoca?
#
# Un solo número esconde quién se confunde con quién. En la [**matriz de
# confusión**](../../docs/glosario.md#matriz-de-confusión) las filas son las clases verdaderas y las columnas, las
# respuestas.


# %% framework="pytorch"
def probabilities_of(model, images):
    logits = predict(model, DataLoader(ImageDataset(images, np.zeros(len(images)), prepare), batch_size=64))
    return torch.from_numpy(logits).softmax(1).numpy()


# %% framework="tensorflow"
def probabilities_of(model, images):
    return keras.ops.softmax(model.predict(images, batch_size=64, verbose=0)).numpy()


# %%
probabilities = probabilities_of(kept["frozen"], data.test.images)
predicted = probabilities.argmax(1)
ax = plots.plot_confusion_matrix(data.test.labels, predicted, class_words, language=LANGUAGE)

# %%
worst = metrics.most_confident_mistakes(data.test.labels, probabilities, top=6)
sure = probabilities.max(1)
titles = [f"{class_words[data.test.labels[i]]} → {class_words[predicted[i]]}\n{sure[i]:.0%}" for i in worst]
if len(worst):
    axes = plots.show_images(data.test.images[worst], titles, columns=6)

# %% [markdown] lang="en"
# *The mistakes of the frozen network of which it was most certain: true class → answer, and its probability. Can you see
# what misled it? A percentage is not a promise: these were wrong.*
#
# ## 13. Keep it
#
# A model that cannot be loaded again is not finished.

# %% [markdown] lang="es"
# *Los errores de la red congelada de los que estaba más segura: clase verdadera → respuesta, y su probabilidad. ¿Ve usted
# qué la ha confundido? Un porcentaje no es una promesa: estas respuestas eran erróneas.*
#
# ## 13. Guardar el modelo
#
# Un modelo que no se puede volver a cargar no está terminado.

# %% framework="pytorch"
from safetensors.torch import load_file, save_file

model = kept["frozen"].eval()
torch.save(model.state_dict(), folder / "cats_and_dogs.pt")  # the weights alone, not the object
tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
save_file(tensors, folder / "cats_and_dogs.safetensors", metadata={"classes": ",".join(class_names)})

loaded, prepare = load_network(BACKBONE, pretrained=False, num_classes=num_classes)
loaded.load_state_dict(torch.load(folder / "cats_and_dogs.pt", weights_only=True))
loaded.load_state_dict(load_file(folder / "cats_and_dogs.safetensors"))
loaded = loaded.to(device)

# %% framework="tensorflow"
model = kept["frozen"]
model.save(folder / "cats_and_dogs.keras")  # architecture, weights and how it was compiled
model.save_weights(folder / "cats_and_dogs.weights.h5")  # the weights alone

loaded = keras.models.load_model(folder / "cats_and_dogs.keras")

# %%
before, after = (probabilities_of(m, data.test.images[:32]) for m in (model, loaded))
for path in sorted(folder.glob("cats_and_dogs*")):
    print(f"{path.name:>28} {path.stat().st_size / 1e6:.1f} MB")
claim("saved_equals_loaded", np.abs(after - before).max())

# %% [markdown] lang="en" framework="pytorch"
# `weights_only=True` lets `torch.load` read numbers and nothing else: an old-style file may hold code that runs when it is
# opened. The format safetensors cannot hold code at all. Class names and preprocessing belong to the model: write them
# down beside the weights.

# %% [markdown] lang="en" framework="tensorflow"
# The file `.keras` holds everything, and `load_model` needs no code of yours: preprocessing is part of the model. The
# class names are not: write them down beside it. A file from a stranger may ask to run code (`Lambda` layers); Keras
# refuses that by default, and you should too.

# %% [markdown] lang="es" framework="pytorch"
# Con `weights_only=True`, `torch.load` lee números y nada más: un archivo al estilo antiguo puede contener código que se
# ejecuta al abrirlo. El formato safetensors no puede contener código. Los nombres de las clases y el preprocesamiento
# pertenecen al modelo: anótelos junto a los pesos.

# %% [markdown] lang="es" framework="tensorflow"
# El archivo `.keras` lo contiene todo, y `load_model` no necesita código suyo: el preprocesamiento es parte del modelo. Los
# nombres de las clases no: anótelos junto a él. El archivo de un desconocido puede pedir que se ejecute código (capas
# `Lambda`); Keras lo rechaza por defecto, y usted también debería.

# %% [markdown] lang="en"
# ## 14. A photo of your own
#
# Press the button and choose a photo. It stays on the machine that runs this notebook. Try your cat, then try something
# that is neither cat nor dog: the network knows only two words, and will use one of them.

# %% [markdown] lang="es"
# ## 14. Una foto suya
#
# Pulse el botón y elija una foto. No sale del equipo que ejecuta este cuaderno. Pruebe con su gato y luego con algo que
# no sea ni gato ni perro: la red solo conoce dos palabras, y usará una de ellas.

# %%
from tlhelpers.data.images import prepare_photo
from tlhelpers.widgets import ask_for_photo


def answer(photo):
    image = prepare_photo(photo, IMAGE_SIZE)
    for name, probability in zip(class_words, probabilities_of(loaded, image[None])[0]):
        print(f"{name:>8} {probability:7.1%}")
    plots.plt.show(plots.show_images(image[None], side=2.5)[0, 0].figure)


ask_for_photo(answer, LANGUAGE)

# %% [markdown] lang="en"
# ## 15. Pictures of another kind
#
# Our classifiers learnt from one kind of picture. What do they make of the same animals drawn in pencil, or seen at
# night? The task is the same; the [domain](../../docs/glossary.md#domain-shift), $P(X)$, has changed. Guess first: will
# the frozen network do better there, or the fine-tuned one?

# %% [markdown] lang="es"
# ## 15. Imágenes de otro tipo
#
# Nuestros clasificadores aprendieron de un solo tipo de imágenes. ¿Qué harán con los mismos animales dibujados a lápiz o
# vistos de noche? La tarea es la misma; el [dominio](../../docs/glosario.md#cambio-de-dominio), $P(X)$, ha cambiado.
# Apueste primero: ¿se defenderá mejor allí la red congelada o la del ajuste fino?

# %%
from tlhelpers.drawn_pets import SPECIES, draw_pets

shifted = {}
for style in ("photo", "sketch", "night") if class_names == SPECIES else ():  # classes of your own have no drawings
    pets = draw_pets(200, seed=SEED + 1000, size=IMAGE_SIZE, style=style)
    for way in ways:
        found = float(np.mean(answers_of(kept[way], pets.images) == pets.species))
        shifted[style, way] = metrics.wilson_interval(found, len(pets.images))
        print(f"{words[style]:>8} {words[way]:>12} {shifted[style, way]}")
if shifted:
    claim("another_domain_costs", 100 * (shifted["photo", "frozen"].value - shifted["sketch", "frozen"].value))

# %% [markdown] lang="en"
# *Accuracy on 200 new drawings of each style, with its 95 % interval; one network of each way, that of the last seed.*
#
# A model that does well on one kind of picture promises nothing for another.
#
# ## 16. The whole of it on one page
#
# Here is what you take home: from a folder of photos to an accuracy, in {Framework} alone. The cell writes it into a
# file; the next one runs it, as you would in a terminal.

# %% [markdown] lang="es"
# *Exactitud con 200 dibujos nuevos de cada estilo, con su intervalo del 95 %; una red de cada manera, la de la última
# semilla.*
#
# Que un modelo funcione bien con un tipo de imágenes no promete nada para otro.
#
# ## 16. Todo en una página
#
# Esto es lo que se lleva a casa: de una carpeta de fotos a una exactitud, solo con {Framework}. La celda lo escribe en un
# archivo; la siguiente lo ejecuta, como usted lo haría en una terminal.

# %% framework="pytorch"
# %%writefile {folder}/one_page.py
import sys

import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import datasets, models
from torchvision.transforms import v2

PHOTOS, *FILE = sys.argv[1:]  # PHOTOS/train/CLASS/*.jpg, PHOTOS/val/..., PHOTOS/test/...
torch.manual_seed(0)
if FILE:  # the lesson's backbone, from a file: pixels of 0 to 1 in, features out
    network = torch.export.load(FILE[0]).module()
    prepare = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
else:  # from torchvision, with a download of 45 MB
    network = models.resnet18(weights="DEFAULT").eval()
    network.fc = nn.Identity()
    prepare = models.ResNet18_Weights.DEFAULT.transforms()

features, labels = {}, {}
for part in ("train", "val", "test"):  # frozen: each photo runs through the backbone once
    loader = DataLoader(datasets.ImageFolder(f"{PHOTOS}/{part}", prepare), batch_size=32)
    with torch.no_grad():
        batches = [(network(x), y) for x, y in loader]
    features[part], labels[part] = (torch.cat(tensors) for tensors in zip(*batches))

head = nn.Linear(features["train"].shape[1], int(labels["train"].max()) + 1)
optimizer = optim.AdamW(head.parameters(), lr=1e-3)
lowest, patience = float("inf"), 240
for step in range(800):
    batch = torch.randint(len(labels["train"]), (16,))
    loss = F.cross_entropy(head(features["train"][batch]), labels["train"][batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    val_loss = F.cross_entropy(head(features["val"]), labels["val"]).item()
    if val_loss < lowest:
        lowest, best_step, best = val_loss, step, {k: v.clone() for k, v in head.state_dict().items()}
    elif step - best_step > patience:
        break
head.load_state_dict(best)
right = head(features["test"]).argmax(1) == labels["test"]
print(f"accuracy {right.float().mean():.4f} after {step} steps")

# %% framework="tensorflow"
# %%writefile {folder}/one_page.py
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
import keras
import numpy as np
import tensorflow as tf
from keras import layers

PHOTOS, *FILE = sys.argv[1:]  # PHOTOS/train/CLASS/*.jpg, PHOTOS/val/..., PHOTOS/test/...
keras.utils.set_random_seed(0)
if FILE:  # the lesson's backbone, from a file: pixels of 0 to 255 in, features out
    network = keras.models.load_model(FILE[0], compile=False)
else:  # from keras.applications, with a download of 9 MB
    mobilenet = keras.applications.mobilenet_v2
    base = mobilenet.MobileNetV2(include_top=False, pooling="avg", input_shape=(224, 224, 3))
    pixels = keras.Input((224, 224, 3))
    network = keras.Model(pixels, base(mobilenet.preprocess_input(pixels)))
network.trainable = False

features, labels = {}, {}
for part in ("train", "val", "test"):  # frozen: each photo runs through the backbone once
    photos = keras.utils.image_dataset_from_directory(
        f"{PHOTOS}/{part}", image_size=network.input_shape[1:3], batch_size=32, shuffle=False
    )
    features[part] = network.predict(photos, verbose=0)
    labels[part] = np.concatenate([y for _, y in photos])

train = tf.data.Dataset.from_tensor_slices((features["train"], labels["train"]))
rounds = train.shuffle(len(train)).repeat().batch(16).take(20)  # 20 steps a round
head = keras.Sequential([keras.Input(network.output_shape[1:]), layers.Dense(len(photos.class_names))])
head.compile(
    optimizer=keras.optimizers.AdamW(1e-3),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
    jit_compile=False,
)
stop = keras.callbacks.EarlyStopping("val_loss", patience=12, restore_best_weights=True)
val = (features["val"], labels["val"])
history = head.fit(rounds, validation_data=val, epochs=40, callbacks=[stop], shuffle=False, verbose=0)
_, accuracy = head.evaluate(features["test"], labels["test"], verbose=0)
print(f"accuracy {accuracy:.4f} after {20 * len(history.epoch)} steps")


# %% framework="pytorch"
class Backbone(nn.Module):
    """Normalisation and backbone in one, so that the file knows its preprocessing."""

    def __init__(self):
        super().__init__()
        self.normalize = next(step for step in prepare.transforms if isinstance(step, v2.Normalize))
        self.network = network.cpu().to(memory_format=torch.contiguous_format).eval()

    def forward(self, pixels):
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in (self.normalize.mean, self.normalize.std))
        return self.network((pixels - mean) / std)


file = folder / "backbone.pt2"
batch = torch.export.Dim("batch")
example = torch.rand(2, 3, IMAGE_SIZE, IMAGE_SIZE)
torch.export.save(torch.export.export(Backbone().eval(), (example,), dynamic_shapes=({0: batch},)), file)

# %% framework="tensorflow"
file = folder / "backbone.keras"
pixels = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3))
keras.Model(pixels, base(prepare(pixels))).save(file)

# %%
import subprocess
import sys

x, y, x_val, y_val = draw_labelled(LABELS, seeds[0])
parts = {"train": (x, y), "val": (x_val, y_val), "test": (data.test.images, data.test.labels)}
for part, (images, labels) in parts.items():
    for i, (image, label) in enumerate(zip(images, labels)):
        place = folder / "pets" / part / class_names[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{i:04d}.png")

command = [sys.executable, str(folder / "one_page.py"), str(folder / "pets"), str(file)]
said = subprocess.run(command, capture_output=True, text=True)
print(said.stdout or said.stderr)
from_script = float(said.stdout.split("accuracy ")[1].split()[0])
from_lesson = right["frozen", LABELS][0].mean()
claim("script_agrees", 100 * abs(from_script - from_lesson))

# %% [markdown] lang="en"
# ## What you can do now
#
# - Load a pretrained network with its preprocessing, cut its head off, freeze it, and verify that nothing moves.
# - Put a linear head on features that are computed once, and train it with a rule that says when to stop.
# - Fine-tune: the head first, then all of it at a low rate, BatchNorm asleep.
# - Compare fairly: the same labels, the same rule, several draws, an interval.
# - What came out here: with few labels transfer is far ahead; with more, training from scratch comes near, at many times
#   the cost. These were the pictures of `DATASET`; the README has the same table for real photos.
#
# From here on the course imports what you have built: [the toolbox](../../docs/toolbox.md) lists it.

# %% [markdown] lang="es"
# ## Lo que ya sabe hacer
#
# - Cargar una red preentrenada con su preprocesamiento, cortarle la cabeza, congelarla y comprobar que nada se mueve.
# - Poner una cabeza lineal sobre características calculadas una sola vez y entrenarla con una regla que dice cuándo parar.
# - Hacer un ajuste fino: primero la cabeza, después todo con una tasa baja y BatchNorm dormida.
# - Comparar con justicia: las mismas etiquetas, la misma regla, varios sorteos y un intervalo.
# - Lo que ha salido aquí: con pocas etiquetas, la transferencia va muy por delante; con más, empezar de cero se acerca, a
#   un coste muchas veces mayor. Eran las imágenes de `DATASET`; el README tiene la misma tabla con fotos reales.
#
# A partir de aquí el curso importa lo que usted ha construido: lo enumera [la caja de
# herramientas](../../docs/caja_de_herramientas.md).

# %%
show_quiz("01_cats_vs_dogs/after", LANGUAGE)

# %% [markdown] lang="en"
# ## Further reading
#
# - J. Elson, J. R. Douceur, J. Howell and J. Saul, "Asirra: a CAPTCHA that exploits interest-aligned manual image
#   categorization", *ACM CCS* 2007: where the photos of Cats vs Dogs come from.
# - S. Kornblith, J. Shlens and Q. V. Le, "Do better ImageNet models transfer better?", *CVPR* 2019.
# - A. S. Razavian, H. Azizpour, J. Sullivan and S. Carlsson, "CNN features off-the-shelf: an astounding baseline for
#   recognition", *CVPR Workshops* 2014.
# - L. Prechelt, "Early stopping – but when?", in *Neural Networks: Tricks of the Trade*, 1998.

# %% [markdown] lang="es"
# ## Para seguir leyendo
#
# - J. Elson, J. R. Douceur, J. Howell y J. Saul, «Asirra: a CAPTCHA that exploits interest-aligned manual image
#   categorization», *ACM CCS* 2007: de dónde salen las fotos de Cats vs Dogs.
# - S. Kornblith, J. Shlens y Q. V. Le, «Do better ImageNet models transfer better?», *CVPR* 2019.
# - A. S. Razavian, H. Azizpour, J. Sullivan y S. Carlsson, «CNN features off-the-shelf: an astounding baseline for
#   recognition», *CVPR Workshops* 2014.
# - L. Prechelt, «Early stopping – but when?», en *Neural Networks: Tricks of the Trade*, 1998.
