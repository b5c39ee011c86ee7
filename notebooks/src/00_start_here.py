# %% [markdown] lang="en"
# # Start here: what transfer learning is
#
# **{Framework}** · about 20 minutes · you need a little Python, and no machine learning yet.
#
# After this lesson you can
#
# - say what transfer learning is, in your own words and with four symbols;
# - tell a change of *domain* from a change of *task*;
# - tell how a network uses what it learnt elsewhere, with only ten labels a class;
# - check that this computer has what the course needs.

# %% [markdown] lang="es"
# # Empiece aquí: qué es el aprendizaje por transferencia
#
# **{Framework}** · unos 20 minutos · hace falta un poco de Python; de aprendizaje automático, todavía nada.
#
# Al terminar esta lección podrá
#
# - decir qué es el aprendizaje por transferencia, con sus palabras y con cuatro símbolos;
# - distinguir un cambio de *dominio* de un cambio de *tarea*;
# - contar cómo una red aprovecha lo que aprendió en otro sitio, con solo diez etiquetas por clase;
# - comprobar que este equipo tiene lo que el curso necesita.

# %% tags=["parameters"]
LANGUAGE = "en"  # of the figures: "en" or "es"
SEED = 0
DATASET = "drawn_pets"  # or "cats_vs_dogs", "oxford_pets_species", a folder with one sub-folder a class
BACKBONE = "mini_resnet"  # or "mobilenet", "resnet50", ...
IMAGE_SIZE = 64  # side of the images, in pixels; what the backbone was trained at

# %% [markdown] lang="en"
# ## The piano and the organ
#
# Someone who plays the piano sits down at an organ for the first time. They do not start from nothing. They read music,
# their fingers find chords, they keep time. Only the pedals and the stops are new.
#
# A pianist needs weeks for what would take a beginner years. Not because the organ is easy, but because most of what
# it asks for was learnt before.
#
# A neural network can do the same. One that has learnt to name what is in photos has learnt edges, fur, eyes and shapes
# on the way. For a new question about pictures it only has to learn the rest. That is [**transfer
# learning**](../../docs/glossary.md#transfer-learning).

# %% [markdown] lang="es"
# ## El piano y el órgano
#
# Alguien que toca el piano se sienta por primera vez ante un órgano. No empieza de cero. Lee partituras, sus dedos
# encuentran los acordes, lleva el compás. Lo nuevo son los pedales y los registros.
#
# Quien toca el piano necesita semanas para lo que a un principiante le llevaría años. No porque el órgano sea fácil,
# sino porque ya sabía la mayor parte de lo que exige.
#
# Una red neuronal puede hacer lo mismo. Si ha aprendido a nombrar lo que hay en una foto, por el camino ha aprendido a
# reconocer bordes, pelaje, ojos y formas. Ante una pregunta nueva sobre imágenes solo le falta aprender el resto. Eso
# es el [**aprendizaje por transferencia**](../../docs/glosario.md#aprendizaje-por-transferencia).

# %% [markdown] lang="en"
# ## Four symbols
#
# Can we say that more exactly? Pan and Yang (2010) do it with two pairs.
#
# A **domain** is $D = \{X, P(X)\}$. Here $X$ is the space of inputs, for us all pictures of a certain size. $P(X)$ says
# which of them turn up, and how often: photos from the web, drawings, pictures taken at night.
#
# A **task** is $T = \{Y, f\}$. Here $Y$ is the set of answers, for us {cat, dog}. $f$ is the rule that gives the right
# answer to each picture. Nobody knows $f$; we learn it from examples.
#
# There is a [**source**](../../docs/glossary.md#source-task), $D_S$ and $T_S$, where data were plentiful, and a
# [**target**](../../docs/glossary.md#target-task), $D_T$ and $T_T$, where they are not. Transfer learning improves the
# rule of the target, $f_T$, with what was learnt from the source, where $D_S \neq D_T$ or $T_S \neq T_T$.

# %% [markdown] lang="es"
# ## Cuatro símbolos
#
# ¿Se puede decir con más exactitud? Pan y Yang (2010) lo hacen con dos pares.
#
# Un **dominio** es $D = \{X, P(X)\}$. Aquí $X$ es el espacio de las entradas; para nosotros, todas las imágenes de
# cierto tamaño. $P(X)$ dice cuáles aparecen y con qué frecuencia: fotos de la web, dibujos, imágenes tomadas de noche.
#
# Una **tarea** es $T = \{Y, f\}$. Aquí $Y$ es el conjunto de respuestas; para nosotros, {gato, perro}. $f$ es la regla
# que da la respuesta correcta a cada imagen. Nadie conoce $f$; la aprendemos a partir de ejemplos.
#
# Hay un [**origen**](../../docs/glosario.md#tarea-de-origen), $D_S$ y $T_S$ (del inglés *source*), donde los datos
# abundaban, y un [**destino**](../../docs/glosario.md#tarea-de-destino), $D_T$ y $T_T$ (*target*), donde escasean. El
# aprendizaje por transferencia mejora la regla del destino, $f_T$, con lo aprendido en el origen, donde $D_S \neq D_T$
# o $T_S \neq T_T$.

# %% [markdown] lang="en"
# ## Is it the domain that changes, or the task?
#
# The course has animals of its own: cats and dogs that a program draws. So we can change one thing and keep the rest.
#
# - First row: the domain that we start from. The question is "cat or dog?".
# - Second and third row: the same animals as a sketch and at night. The question stays; $P(X)$ changes.
# - First row again, but we ask for the breed. The pictures stay; $Y$ and $f$ change.

# %% [markdown] lang="es"
# ## ¿Cambia el dominio o cambia la tarea?
#
# El curso tiene animales propios: gatos y perros dibujados por un programa. Así podemos cambiar una cosa y dejar igual
# lo demás.
#
# - Primera fila: el dominio del que partimos. La pregunta es «¿gato o perro?».
# - Segunda y tercera fila: los mismos animales como boceto y de noche. La pregunta sigue igual; cambia $P(X)$.
# - La primera fila otra vez, pero preguntamos por la raza. Las imágenes siguen igual; cambian $Y$ y $f$.

# %%
# %matplotlib inline
import numpy as np

from tlhelpers import plots
from tlhelpers.drawn_pets import BREEDS, STYLES, draw_pets

species = {"en": ("cat", "dog"), "es": ("gato", "perro")}[LANGUAGE]
rows = {style: draw_pets(6, seed=SEED, size=96, style=style) for style in STYLES}
first = rows[STYLES[0]]
titles = [f"{species[s]}\n{BREEDS[b].name}" for s, b in zip(first.species, first.breeds)]
axes = plots.show_images(np.concatenate([pets.images for pets in rows.values()]), titles, columns=6, side=1.4)

# %% [markdown] lang="en"
# *The same six animals in three styles. Above each: the answer to "cat or dog?", and the answer to "which breed?".*
#
# **Your turn.** A network was trained on daylight photos to tell cars from lorries. Now it is to tell cars from lorries
# at night. Is it $D$ that changes, or $T$? And if it is to name the make of the car, in daylight? Answer before you
# open this:
#
# <details><summary>Answer</summary>
#
# At night: the domain, because $P(X)$ is another one. The make of the car: the task, because $Y$ and $f$ are others.
#
# </details>

# %% [markdown] lang="es"
# *Los mismos seis animales en tres estilos. Encima de cada uno: la respuesta a «¿gato o perro?» y la respuesta a «¿qué
# raza?» (los nombres de las razas están en inglés).*
#
# **Le toca a usted.** Una red se entrenó con fotos de día para distinguir automóviles de camiones. Ahora tiene que
# distinguirlos de noche. ¿Cambia $D$ o cambia $T$? ¿Y si tiene que reconocer la marca del automóvil, de día? Responda
# antes de abrir esto:
#
# <details><summary>Respuesta</summary>
#
# De noche: el dominio, porque $P(X)$ es otra. La marca del automóvil: la tarea, porque $Y$ y $f$ son otras.
#
# </details>

# %% [markdown] lang="en"
# ## A first taste: ten labels a class
#
# Words are cheap. Let us see it happen, in three steps:
#
# 1. take a network that has learnt to name things in photos, the [**backbone**](../../docs/glossary.md#backbone);
# 2. let it turn each picture into a list of numbers, its [**features**](../../docs/glossary.md#feature);
# 3. learn "cat or dog?" from the features of twenty pictures, ten of each.
#
# The backbone was trained on other pictures. It is [*frozen*](../../docs/glossary.md#freeze): nothing in it changes. A
# [**label**](../../docs/glossary.md#label) is the right answer to a picture, written down by someone.

# %% [markdown] lang="es"
# ## Una primera prueba: diez etiquetas por clase
#
# Hablar es fácil. Veámoslo en tres pasos:
#
# 1. tomar una red que ya sabe nombrar cosas en fotos, la [**red base**](../../docs/glosario.md#red-base) (en inglés,
#    *backbone*);
# 2. hacer que convierta cada imagen en una lista de números, sus
#    [**características**](../../docs/glosario.md#característica) (*features*);
# 3. aprender a responder «¿gato o perro?» a partir de las características de veinte imágenes, diez de cada clase.
#
# La red base se entrenó con otras imágenes. Está [*congelada*](../../docs/glosario.md#congelar): nada en ella cambia.
# Una [**etiqueta**](../../docs/glosario.md#etiqueta) es la respuesta correcta a una imagen, anotada por alguien.

# %% framework="pytorch" tags=["folded"]
from collections.abc import Callable
from functools import partial

import torch
from safetensors.torch import load_file
from torch import nn
from torchvision.models import Weights, WeightsEnum
from torchvision.models.resnet import BasicBlock
from torchvision.transforms import InterpolationMode, v2

from tlhelpers.weights import mini_resnet_file, tiny_imagenet_classes

# %% framework="tensorflow" tags=["folded"]
import os
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"  # TensorFlow tells of errors only
import keras
import numpy as np
from keras import layers
from safetensors.numpy import load_file

from tlhelpers.weights import MINI_RESNET_WIDTHS, mini_resnet_file, tiny_imagenet_classes

# %% framework="pytorch" shows="tlhelpers.pytorch.mini_resnet.stage tlhelpers.pytorch.mini_resnet.MiniResNet" tags=["folded"]

# %% framework="tensorflow" shows="tlhelpers.tensorflow.mini_resnet.conv tlhelpers.tensorflow.mini_resnet.batch_norm tlhelpers.tensorflow.mini_resnet.stage" tags=["folded"]

# %% framework="pytorch" shows="tlhelpers.pytorch.pretrained.classification_preset tlhelpers.pytorch.pretrained.build_model tlhelpers.pytorch.mini_resnet._ShippedWeights tlhelpers.pytorch.mini_resnet._shipped tlhelpers.pytorch.mini_resnet.MiniResNet_Weights tlhelpers.pytorch.mini_resnet.mini_resnet" tags=["folded"]

# %% framework="tensorflow" shows="tlhelpers.tensorflow.pretrained.PYTORCH_NAMES tlhelpers.tensorflow.pretrained.copy_tensors tlhelpers.tensorflow.pretrained.check_weights tlhelpers.tensorflow.pretrained.add_top tlhelpers.tensorflow.pretrained.decode tlhelpers.tensorflow.mini_resnet.MEAN tlhelpers.tensorflow.mini_resnet.STD tlhelpers.tensorflow.mini_resnet.FILES tlhelpers.tensorflow.mini_resnet.MiniResNet tlhelpers.tensorflow.mini_resnet.preprocess_input tlhelpers.tensorflow.mini_resnet.decode_predictions" tags=["folded"]

# %% framework="pytorch"
from tlhelpers.legacy.pytorch import extract_features, load_backbone, set_seed

# %% framework="tensorflow"
from tlhelpers.legacy.tensorflow import extract_features, load_backbone, set_seed

# %%
from tlhelpers.claims import claim
from tlhelpers.data.datasets import load_splits
from tlhelpers.metrics import accuracy, linear_probe, wilson_interval

set_seed(SEED)
data = load_splits(DATASET, image_size=IMAGE_SIZE, seed=SEED, progress=False)
backbone = load_backbone(BACKBONE, image_size=IMAGE_SIZE)
print(backbone)

few = data.train.per_class(10, seed=SEED)
features = extract_features(backbone, few.images, progress=False)
val_features = extract_features(backbone, data.val.images, progress=False)
with_features = accuracy(data.val.labels, linear_probe(features, few.labels, val_features))

# %% [markdown] lang="en"
# Is that the merit of the features? Let the same simple method learn from the bare pixels of the same twenty pictures.

# %% [markdown] lang="es"
# ¿Es mérito de las características? Hagamos que el mismo método, que es sencillo, aprenda de los píxeles sin más de las
# mismas veinte imágenes.


# %%
def flat(images):
    return images.reshape(len(images), -1) / 255


with_pixels = accuracy(data.val.labels, linear_probe(flat(few.images), few.labels, flat(data.val.images)))
names = {
    "en": ("features of the backbone", "bare pixels"),
    "es": ("características de la red base", "solo píxeles"),
}[LANGUAGE]
found = dict(zip(names, (with_features, with_pixels)))
results = {name: wilson_interval(value, len(data.val)) for name, value in found.items()}
ax = plots.plot_estimates(results, language=LANGUAGE)

# %% [markdown] lang="en"
# *[Accuracy](../../docs/glossary.md#accuracy) (the share of right answers) on pictures that were not learnt from. The
# bar is the [95 % interval](../../docs/glossary.md#confidence-interval): where the true value probably lies, since we
# tried only so many pictures. Guessing gives 50 %.*

# %% [markdown] lang="es"
# *[Exactitud](../../docs/glosario.md#exactitud) (proporción de respuestas correctas) con imágenes que no se usaron para
# aprender. La barra es el [intervalo del 95 %](../../docs/glosario.md#intervalo-de-confianza): donde probablemente está
# el valor verdadero, ya que probamos un número limitado de imágenes. Quien responde al azar acierta un 50 %.*

# %%
claim(
    "features_beat_pixels",
    100 * (with_features - with_pixels),
    en="With ten labels a class, features of a network trained on other pictures beat bare pixels",
    es="Con diez etiquetas por clase, las características de una red ya entrenada superan a los píxeles",
    at_least=15,
    unit={"en": "points", "es": "puntos"}[LANGUAGE],
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# Sentences with a mark such as the one above are **claims**. The number was measured in this notebook, and the notebook
# stops if it does not bear the sentence out. So this course cannot quietly stop being true.
#
# ## Is everything there?
#
# The next cell looks at this computer: packages, accelerator, folders. Each thing that is missing comes with the line
# that mends it. In a terminal, `tlhelpers doctor` tells all that it found.

# %% [markdown] lang="es"
# Las frases con una marca como la de arriba son **afirmaciones comprobadas**. El número se ha medido en este cuaderno,
# y el cuaderno se detiene si no respalda la frase. Así, este curso no puede dejar de ser cierto sin que nadie lo note.
#
# ## ¿Está todo?
#
# La celda siguiente examina este equipo: paquetes, acelerador, carpetas. Cada cosa que falta aparece con la línea que
# lo arregla. En una terminal, `tlhelpers doctor` cuenta todo lo que ha encontrado.

# %%
from tlhelpers.doctor import examine, list_problems

problems = list_problems(examine())
for problem in problems:
    print(f"{problem['what']}\n    {problem['mend']}")
if not problems:
    print({"en": "Everything is there.", "es": "No falta nada."}[LANGUAGE])

# %% [markdown] lang="en"
# ## A map of the course
#
# | lesson | the question |
# | --- | --- |
# | 00 Start here | What is transfer learning? |
# | [01 Cats and dogs](01_cats_vs_dogs_{framework}.ipynb) | How many labels, and how much time, does it save? |
#
# Each lesson exists in PyTorch and in TensorFlow, in English and in Spanish. The text and the experiments are the same,
# so that you may switch at any time.

# %% [markdown] lang="es"
# ## Un mapa del curso
#
# | lección | la pregunta |
# | --- | --- |
# | 00 Empiece aquí | ¿Qué es el aprendizaje por transferencia? |
# | [01 Gatos y perros](01_cats_vs_dogs_{framework}.ipynb) | ¿Cuántas etiquetas y cuánto tiempo ahorra? |
#
# Cada lección existe en PyTorch y en TensorFlow, en español y en inglés. El texto y los experimentos son los mismos,
# así que puede pasar de una versión a otra cuando quiera.

# %% [markdown] lang="en"
# ## Check yourself

# %% [markdown] lang="es"
# ## Compruebe lo aprendido

# %%
from tlhelpers.quiz import show_quiz

show_quiz("00_start_here/after", LANGUAGE)

# %% [markdown] lang="en"
# ## Further reading
#
# - S. J. Pan and Q. Yang, "A Survey on Transfer Learning", *IEEE Transactions on Knowledge and Data
#   Engineering* 22(10), 2010.
# - J. Yosinski, J. Clune, Y. Bengio and H. Lipson, "How transferable are features in deep neural networks?",
#   *NeurIPS* 2014.

# %% [markdown] lang="es"
# ## Para seguir leyendo
#
# - S. J. Pan y Q. Yang, «A Survey on Transfer Learning», *IEEE Transactions on Knowledge and Data Engineering* 22(10),
#   2010.
# - J. Yosinski, J. Clune, Y. Bengio y H. Lipson, «How transferable are features in deep neural networks?»,
#   *NeurIPS* 2014.
