# %% [markdown] lang="en"
# # Start here: what transfer learning is
#
# **{Framework}** · about 20 minutes · you need a little Python, and no machine learning yet.
#
# After this lesson you can
#
# - say what transfer learning is, in your own words and with four symbols;
# - tell a change of *domain* from a change of *task*;
# - name the four steps of transfer learning, with the line of {Framework} that each one takes;
# - show with twenty labelled pictures that what a network learnt elsewhere helps, and that it is no luck;
# - check that this computer has what the course needs.

# %% [markdown] lang="es"
# # Empiece aquí: qué es el aprendizaje por transferencia
#
# **{Framework}** · unos 20 minutos · hace falta un poco de Python; de aprendizaje automático, todavía nada.
#
# Al terminar esta lección podrá:
#
# - decir qué es el aprendizaje por transferencia, con sus palabras y con cuatro símbolos;
# - distinguir un cambio de *dominio* de un cambio de *tarea*;
# - enumerar los cuatro pasos del aprendizaje por transferencia, con la línea de {Framework} que corresponde a cada uno;
# - mostrar, con veinte imágenes etiquetadas, que lo que una red aprendió en otro sitio ayuda, y que no es suerte;
# - comprobar que este equipo tiene lo que el curso necesita.

# %% tags=["parameters"]
SEED = 0
DATASET = "drawn_pets"  # or "cats_vs_dogs", "oxford_pets_species", a folder with one sub-folder a class
LABELS = 10  # labelled pictures of each class to learn from
DRAWS = 5  # how often they are drawn anew

# %% [markdown] lang="en"
# ## The piano and the organ
#
# Someone who plays the piano sits down at an organ for the first time. They do not start from nothing. They read music,
# their fingers find chords, they keep time. Only the pedals and the stops are new.
#
# A pianist needs weeks for what would take a beginner years. Not because the organ is easy, but because most of what
# it asks for was learnt before. It is the same with languages: whoever speaks Italian is soon at home in Spanish.
#
# A neural network can do this too. One that has learnt to name what is in photos has learnt edges, fur, eyes and shapes
# on the way. For a new question about pictures it only has to learn the rest. That is [**transfer
# learning**](../../docs/glossary.md#transfer-learning).
#
# It promises three things: fewer labels, less time, and often a better result. This lesson looks at the first, lesson
# 01 at all three.

# %% [markdown] lang="es"
# ## El piano y el órgano
#
# Alguien que toca el piano se sienta por primera vez ante un órgano. No empieza de cero. Lee partituras, sus dedos
# encuentran los acordes, lleva el compás. Lo nuevo son los pedales y los registros.
#
# Quien toca el piano necesita semanas para lo que a un principiante le llevaría años. No porque el órgano sea fácil,
# sino porque ya sabía la mayor parte de lo que exige. Con los idiomas pasa lo mismo: quien habla italiano se maneja
# pronto en español.
#
# También una red neuronal puede hacerlo. Si ha aprendido a nombrar lo que hay en una foto, por el camino ha aprendido a
# reconocer bordes, pelaje, ojos y formas. Ante una pregunta nueva sobre imágenes solo le falta aprender el resto. Eso
# es el [**aprendizaje por transferencia**](../../docs/glosario.md#aprendizaje-por-transferencia).
#
# Promete tres cosas: menos etiquetas, menos tiempo y, a menudo, un resultado mejor. Esta lección examina la primera; la
# lección 01, las tres.

# %% [markdown] lang="en"
# ## Four symbols
#
# Can we say that more exactly? Pan and Yang (2010) do it with two pairs.
#
# A [**domain**](../../docs/glossary.md#domain) is $D = \{X, P(X)\}$. Here $X$ is the space of inputs, for us all
# pictures of a certain size. $P(X)$ says which of them turn up, and how often: photos from the web, drawings, pictures
# taken at night.
#
# A [**task**](../../docs/glossary.md#task) is $T = \{Y, f\}$. Here $Y$ is the set of answers, for us {cat, dog}. $f$ is
# the rule that gives the right answer to each picture. Nobody knows $f$; we learn it from examples.
#
# There is a [**source**](../../docs/glossary.md#source-task), $D_S$ and $T_S$, where data were plentiful, and a
# [**target**](../../docs/glossary.md#target-task), $D_T$ and $T_T$, where they are not. Transfer learning improves the
# rule of the target, $f_T$, with what was learnt from the source, where $D_S \neq D_T$ or $T_S \neq T_T$.

# %% [markdown] lang="es"
# ## Cuatro símbolos
#
# ¿Se puede decir con más exactitud? Pan y Yang (2010) lo hacen con dos pares.
#
# Un [**dominio**](../../docs/glosario.md#dominio) es $D = \{X, P(X)\}$. Aquí $X$ es el espacio de las entradas; para
# nosotros, todas las imágenes de cierto tamaño. $P(X)$ dice cuáles aparecen y con qué frecuencia: fotos de la web,
# dibujos, imágenes tomadas de noche.
#
# Una [**tarea**](../../docs/glosario.md#tarea) es $T = \{Y, f\}$. Aquí $Y$ es el conjunto de respuestas; para nosotros,
# {gato, perro}. $f$ es la regla, o **función de tarea**, que da la respuesta correcta a cada imagen. Nadie la conoce; la
# aprendemos a partir de ejemplos.
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

from tlhelpers import metrics, plots
from tlhelpers.drawn_pets import BREEDS, STYLES, draw_pets
from tlhelpers.numbers import percent, thousands

rows = {style: draw_pets(6, seed=SEED, size=96, style=style) for style in STYLES}
first = rows[STYLES[0]]
species = plots.class_words(("cat", "dog"), LANGUAGE)
breeds = plots.class_words([BREEDS[number].name for number in first.breeds], LANGUAGE)
titles = [f"{species[number]}\n{breed}" for number, breed in zip(first.species, breeds)]
images = np.concatenate([pets.images for pets in rows.values()])
axes = plots.show_images(images, titles, columns=6, side=1.4)

# %% [markdown] lang="en"
# *The same six animals in three styles. Above each: the answer to "cat or dog?", and the answer to "which breed?".*
#
# So source and target can differ in three ways. Each has a name, which also says where there are labels.
#
# | domain | task | an example | its name |
# | --- | --- | --- | --- |
# | other | same | cats and dogs by day → cats and dogs at night, where nobody has labelled a picture | *transductive* transfer, or domain adaptation |
# | same | other | cat or dog? → which breed?, a few of the same pictures labelled anew | *inductive* transfer |
# | other | other | 202 kinds of things in photos → cat or dog in drawings | inductive transfer where the target has labels, as in this course; *unsupervised* transfer where neither side has any |
#
# **Your turn.** What changes here, $D$ or $T$? Answer before you read on; each answer tells why.

# %% [markdown] lang="es"
# *Los mismos seis animales en tres estilos. Encima de cada uno: la respuesta a «¿gato o perro?» y la respuesta a «¿qué
# raza?» (los nombres de las razas están en inglés).*
#
# Así pues, origen y destino pueden diferir de tres maneras. Cada una tiene un nombre, que dice además dónde hay
# etiquetas.
#
# | dominio | tarea | un ejemplo | su nombre |
# | --- | --- | --- | --- |
# | otro | la misma | gatos y perros de día → gatos y perros de noche, donde nadie ha etiquetado ninguna imagen | transferencia *transductiva*, o adaptación de dominio |
# | el mismo | otra | ¿gato o perro? → ¿qué raza?, con unas pocas de las mismas imágenes etiquetadas de nuevo | transferencia *inductiva* |
# | otro | otra | 202 clases de cosas en fotos → gato o perro en dibujos | transferencia inductiva si el destino tiene etiquetas, como en este curso; *no supervisada* si no las hay en ninguno de los dos lados |
#
# **Le toca a usted.** ¿Qué cambia aquí, $D$ o $T$? Responda antes de seguir leyendo; cada respuesta dice por qué.

# %%
from tlhelpers.quiz import show_quiz

show_quiz("00_start_here/domain_or_task", LANGUAGE)

# %% [markdown] lang="en"
# ## Two ways, four steps
#
# A network is a row of [layers](../../docs/glossary.md#layer). The last one names things; it is called the
# [**head**](../../docs/glossary.md#head). All before it is the [**backbone**](../../docs/glossary.md#backbone): it turns
# a picture into a list of numbers, its [**features**](../../docs/glossary.md#feature).
#
# The old head names the old things, so it goes. What about the backbone? There are two ways.
#
# ```text
#                        backbone, trained on the source              new head
#
#   FEATURE          ┌────────┬────────┬────────┬────────┐          ┌────────┐
#   EXTRACTION       │ frozen │ frozen │ frozen │ frozen │ features │ learns │
#         picture →  │ layer1 │ layer2 │ layer3 │ layer4 │    →     │        │  → cat or dog
#                    └────────┴────────┴────────┴────────┘          └────────┘
#
#   FINE-            ┌────────┬────────┬────────┬────────┐          ┌────────┐
#   TUNING           │ frozen │ frozen │ learns │ learns │ features │ learns │
#         picture →  │ layer1 │ layer2 │ layer3 │ layer4 │    →     │        │  → cat or dog
#                    └────────┴────────┴────────┴────────┘          └────────┘
# ```
#
# *In [feature extraction](../../docs/glossary.md#feature-extraction) the backbone is
# [**frozen**](../../docs/glossary.md#freeze): nothing in it changes. In
# [fine-tuning](../../docs/glossary.md#fine-tuning) its last layers, or all, go on learning, in small steps.*
#
# Feature extraction is what a photographer does with a good lens. They do not grind the glass; they trust it, and decide
# where to point it. The lens is the frozen backbone, the decision is the head.
#
# It takes four steps:
#
# 1. load a network that was trained on something else;
# 2. freeze it;
# 3. put a new head in the place of the old one;
# 4. train, so that only the head changes.

# %% [markdown] lang="es"
# ## Dos maneras, cuatro pasos
#
# Una red es una fila de [capas](../../docs/glosario.md#capa). La última da nombre a las cosas; se llama
# [**cabeza**](../../docs/glosario.md#cabeza). Todo lo que hay antes es la [**red base**](../../docs/glosario.md#red-base)
# (*backbone*; en muchos textos, «modelo base»): convierte una imagen en una lista de números, sus
# [**características**](../../docs/glosario.md#característica) (*features*).
#
# La antigua cabeza nombra las cosas antiguas, así que se quita. ¿Y la red base? Hay dos maneras.
#
# ```text
#                      red base, entrenada en el origen               cabeza nueva
#
#   EXTRACCIÓN DE   ┌─────────┬─────────┬─────────┬─────────┐          ┌─────────┐
#   CARACTERÍSTICAS │congelada│congelada│congelada│congelada│ caracte- │ aprende │
#         imagen →  │ layer1  │ layer2  │ layer3  │ layer4  │ rísticas │         │  → gato o perro
#                   └─────────┴─────────┴─────────┴─────────┘    →     └─────────┘
#
#   AJUSTE          ┌─────────┬─────────┬─────────┬─────────┐          ┌─────────┐
#   FINO            │congelada│congelada│ aprende │ aprende │ caracte- │ aprende │
#         imagen →  │ layer1  │ layer2  │ layer3  │ layer4  │ rísticas │         │  → gato o perro
#                   └─────────┴─────────┴─────────┴─────────┘    →     └─────────┘
# ```
#
# *En la [extracción de características](../../docs/glosario.md#extracción-de-características) la red base está
# [**congelada**](../../docs/glosario.md#congelar): nada en ella cambia. En el [ajuste
# fino](../../docs/glosario.md#ajuste-fino) sus últimas capas, o todas, siguen aprendiendo, a pasos pequeños.*
#
# La extracción de características es lo que hace un fotógrafo con un buen objetivo. No talla el cristal; confía en él y
# decide adónde apuntar. El objetivo es la red base congelada; la decisión es la cabeza.
#
# Son cuatro pasos:
#
# 1. cargar una red que se entrenó para otra cosa;
# 2. congelarla;
# 3. poner una cabeza nueva en el lugar de la antigua;
# 4. entrenar, de modo que solo cambie la cabeza.

# %% [markdown] lang="en" framework="pytorch"
# The network of this lesson travels with the course, so that nothing needs to be downloaded. It is called `mini_resnet`,
# and you use it as you would use `resnet18` of torchvision. The folded cells hold its definition and the reading of its
# weights. You need not open them; they are there so that nothing is hidden.

# %% [markdown] lang="en" framework="tensorflow"
# The network of this lesson travels with the course, so that nothing needs to be downloaded. It is called `MiniResNet`,
# and you use it as you would use `ResNet50` of `keras.applications`. The folded cells hold its definition and the reading
# of its weights. You need not open them; they are there so that nothing is hidden.

# %% [markdown] lang="es" framework="pytorch"
# La red de esta lección viaja con el curso, para que no haya que descargar nada. Se llama `mini_resnet`, y se usa igual
# que `resnet18` de torchvision. Las celdas plegadas contienen su definición y la lectura de sus pesos. No hace falta que
# las abra; están ahí para que nada quede oculto.

# %% [markdown] lang="es" framework="tensorflow"
# La red de esta lección viaja con el curso, para que no haya que descargar nada. Se llama `MiniResNet`, y se usa igual
# que `ResNet50` de `keras.applications`. Las celdas plegadas contienen su definición y la lectura de sus pesos. No hace
# falta que las abra; están ahí para que nada quede oculto.

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

# %% [markdown] lang="en"
# Now the four steps in {Framework}, a line or two each:

# %% [markdown] lang="es"
# Ahora, los cuatro pasos en {Framework}, con una o dos líneas cada uno:

# %% framework="pytorch"
network = mini_resnet(weights="DEFAULT")  # 1. it has learnt to name 202 kinds of things
for parameter in network.parameters():  # 2. frozen: no weight of it is to change
    parameter.requires_grad = False
network.fc = nn.Linear(network.fc.in_features, 2)  # 3. a new head, for two answers
learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
optimizer = torch.optim.AdamW(learning)  # 4. training will change these; lesson 01 does it

weights_in_all = sum(parameter.numel() for parameter in network.parameters())
learning_ones = sum(parameter.numel() for parameter in learning)
print(f"{thousands(learning_ones)} / {thousands(weights_in_all)} {words['weights_learn']}")

# %% framework="tensorflow"
backbone = MiniResNet(include_top=False, pooling="avg")  # 1. trained; without its head
backbone.trainable = False  # 2. frozen: no weight of it is to change
model = keras.Sequential([backbone, layers.Dense(2)])  # 3. a new head for two answers
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile("adam", loss)  # 4. training will change the head; lesson 01 does it, with model.fit

learning = sum(keras.ops.size(weight) for weight in model.trainable_weights)
print(f"{thousands(learning)} / {thousands(model.count_params())} {words['weights_learn']}")

# %% [markdown] lang="en"
# ## A first taste: ten labels a class
#
# Let us see it happen. A [**label**](../../docs/glossary.md#label) is the right answer to a picture, written down by
# someone. Somebody has to look at each one, so labels are dear. We allow ourselves `LABELS` for cats and `LABELS` for
# dogs.

# %% [markdown] lang="es"
# ## Una primera prueba: diez etiquetas por clase
#
# Veámoslo. Una [**etiqueta**](../../docs/glosario.md#etiqueta) es la respuesta correcta a una imagen, anotada por
# alguien. Alguien tiene que mirar cada una, así que las etiquetas son caras. Nos permitimos `LABELS` de gatos y `LABELS`
# de perros.

# %%
from tlhelpers.data.datasets import load_splits

data = load_splits(DATASET, image_size=64, seed=SEED, progress=False)  # 64: as it was trained
few = data.train.per_class(LABELS, seed=DRAWS * SEED)
names = plots.class_words(few.class_names, LANGUAGE)
axes = plots.show_images(few.images, [names[label] for label in few.labels], columns=10, side=0.9)
print(f"{words['few']}: {few.images.shape}   {words['test']}: {data.test.images.shape}")

# %% [markdown] lang="en"
# *All that we learn from. The line tells how many pictures there are, their height, their width, and three colours; then
# the same of the pictures that we shall be tested on.*
#
# The head is the only part that learns, and from twenty pictures it learns in a moment. So we take the features out of
# the network, and let [**logistic regression**](../../docs/glossary.md#logistic-regression) learn from them. It is the
# same as a head of one layer.

# %% [markdown] lang="es"
# *Todo lo que tenemos para aprender. La línea dice cuántas imágenes hay, su altura, su anchura y los tres colores; y
# después, lo mismo de las imágenes con las que nos examinaremos.*
#
# La cabeza es lo único que aprende, y con veinte imágenes aprende en un instante. Así que sacamos las características de
# la red y dejamos que aprenda de ellas una [**regresión logística**](../../docs/glosario.md#regresión-logística).
# Equivale a una cabeza de una sola capa.

# %% framework="pytorch"
weights = MiniResNet_Weights.DEFAULT
prepare = weights.transforms()  # the preprocessing that belongs to these weights
backbone = mini_resnet(weights=weights)
backbone.fc = nn.Identity()  # no head: what arrives there comes out
backbone.eval()  # in use, not in training


def features_of(images, backbone):
    """Features `(n, 256)` of pictures `(n, height, width, 3)` of 0 to 255."""
    pixels = torch.tensor(images).permute(0, 3, 1, 2)  # PyTorch wants the colours first
    with torch.inference_mode():  # nothing learns here
        return backbone(prepare(pixels)).numpy()


features = features_of(few.images, backbone)
print(features.shape)

# %% framework="tensorflow"
backbone = MiniResNet(include_top=False, pooling="avg")  # no head: means of maps come out


def features_of(images, backbone):
    """Features `(n, 256)` of pictures `(n, height, width, 3)` of 0 to 255."""
    pixels = preprocess_input(images)  # the preprocessing that belongs to these weights
    return backbone.predict(pixels, verbose=0)


features = features_of(few.images, backbone)
print(features.shape)

# %% [markdown] lang="en"
# Each picture has become 256 numbers: the last layer has 256 small maps, and the network takes the mean of each ([global
# average pooling](../../docs/glossary.md#global-average-pooling)).

# %% [markdown] lang="es"
# Cada imagen se ha convertido en 256 números: la última capa tiene 256 mapas pequeños, y la red toma la media de cada uno
# ([agrupación por promedio global](../../docs/glosario.md#agrupación-por-promedio-global)).

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

head = make_pipeline(StandardScaler(), LogisticRegression())  # one scale for all, then a weighing
head.fit(features, few.labels)
answers = head.predict(features_of(data.test.images, backbone))
print(percent(np.mean(answers == data.test.labels)))

# %% [markdown] lang="en"
# The number is the [accuracy](../../docs/glossary.md#accuracy): the share of right answers, on pictures that were used
# for nothing else. Who guesses is right half of the time.
#
# ## Is it the merit of the features, and not luck?
#
# Two doubts are in order. Perhaps the question is easy, and the bare pixels would do. And perhaps these twenty pictures
# were lucky ones. So we let the same method learn from pixels too, and draw the pictures `DRAWS` times.
#
# **Guess first:** how many of a hundred animals will it get right from bare pixels?

# %% [markdown] lang="es"
# El número es la [exactitud](../../docs/glosario.md#exactitud): la proporción de respuestas correctas, con imágenes que
# no se usaron para nada más. Quien responde al azar acierta la mitad de las veces. (Muchos textos en español la llaman
# «precisión», que en este curso es otra medida. Y los decimales van con punto, como en Python).
#
# ## ¿Es mérito de las características, y no suerte?
#
# Caben dos dudas. Quizá la pregunta sea fácil y bastaran los píxeles. Y quizá estas veinte imágenes fueran afortunadas.
# Así que el mismo método aprenderá también de los píxeles, y sortearemos las imágenes `DRAWS` veces.
#
# **Apueste antes:** ¿cuántos animales de cada cien acertará a partir de los píxeles, sin más?


# %%
def pixels_of(images):
    return images.reshape(len(images), -1) / 255


def right_answers(numbers_of):
    """Whether the method is right, for each draw and each test picture: `(draws, pictures)`."""
    test, right = numbers_of(data.test.images), []
    for draw in range(DRAWS):
        few = data.train.per_class(LABELS, seed=DRAWS * SEED + draw)
        head = make_pipeline(StandardScaler(), LogisticRegression())
        head.fit(numbers_of(few.images), few.labels)
        right.append(head.predict(test) == data.test.labels)
    return np.array(right)


right = {
    words["features"]: right_answers(lambda images: features_of(images, backbone)),
    words["pixels"]: right_answers(pixels_of),
}
for name, of_draws in right.items():
    print(f"{name:>28}:", *(percent(of_draw.mean()) for of_draw in of_draws))


# %%
def show_accuracies():
    means = {name: of_draws.mean(1) for name, of_draws in right.items()}
    results = {name: metrics.accuracy_estimate(mean, len(data.test)) for name, mean in means.items()}
    plots.plot_estimates(results, language=LANGUAGE)


show_accuracies()

# %% [markdown] lang="en"
# *Mean accuracy of all draws. The bar is the [95 % interval](../../docs/glossary.md#confidence-interval). If we did the
# whole experiment a hundred times, with other pictures each time, about 95 of the hundred bars would hold the true
# value.*
#
# With the same labels and the same method, the numbers of the network say far more than the pixels:

# %% [markdown] lang="es"
# *Exactitud media de todos los sorteos. La barra es el [intervalo del 95 %](../../docs/glosario.md#intervalo-de-confianza).
# Si hiciéramos todo el experimento cien veces, cada vez con otras imágenes, unas 95 de las cien barras contendrían el
# valor verdadero.*
#
# Con las mismas etiquetas y el mismo método, los números de la red dicen mucho más que los píxeles:

# %%
gain = metrics.paired_difference(right[words["pixels"]], right[words["features"]])  # on the same test
claim("features_beat_pixels", 100 * gain)

# %% [markdown] lang="en"
# A sentence with a mark such as this one is a **claim**. The number was measured in this notebook, and the notebook stops
# if it does not bear the sentence out. So this course cannot quietly stop being true.
#
# **Your turn.** A third doubt: is it what the network *learnt*, or would any network of this shape do? Try one whose
# weights are random. Write a few lines in the place of the comment, and run the cell: the check tells what is missing.

# %% [markdown] lang="es"
# Una frase con una marca como esta es una **afirmación comprobada**. El número se ha medido en este cuaderno, y el
# cuaderno se detiene si no respalda la frase. Así, este curso no puede dejar de ser cierto sin que nadie lo note.
#
# **Le toca a usted.** Una tercera duda: ¿es lo que la red *aprendió*, o serviría cualquier red de esta forma? Pruebe con
# una cuyos pesos sean aleatorios. Escriba unas líneas en el lugar del comentario y ejecute la celda: la comprobación le
# dice qué falta.


# %% framework="pytorch" tags=["folded"]
def check_untrained(backbone):
    trained = mini_resnet(weights="DEFAULT").conv1.weight
    if not isinstance(backbone, nn.Module):
        print("✘", words["nothing_yet"])
    elif not isinstance(backbone.fc, nn.Identity):
        print("✘", words["has_a_head"])
    elif torch.equal(backbone.conv1.weight, trained):
        print("✘", words["is_trained"])
    elif backbone.training:
        print("✘", words["in_training"])
    else:
        print("✔", words["right"])


# %% framework="tensorflow" tags=["folded"]
def check_untrained(backbone):
    if not isinstance(backbone, keras.Model):
        print("✘", words["nothing_yet"])
    elif backbone.output_shape == (None, 202):
        print("✘", words["has_a_head"])
    elif (
        any(isinstance(layer, layers.GlobalMaxPooling2D) for layer in backbone.layers) or len(backbone.output_shape) > 2
    ):
        print("✘", words["no_means"], backbone.output_shape)
    elif np.array_equal(backbone.get_layer("conv1").kernel, MiniResNet().get_layer("conv1").kernel):
        print("✘", words["is_trained"])
    else:
        print("✔", words["right"])


# %% framework="pytorch"
def make_untrained():
    """`mini_resnet` with random weights (`weights=None`), without a head, in use."""
    # write here


check_untrained(make_untrained())


# %% framework="tensorflow"
def make_untrained():
    """`MiniResNet` with random weights (`weights=None`), without a head: the mean of each map."""
    # write here


check_untrained(make_untrained())


# %% framework="pytorch" tags=["solution"]
def make_untrained():
    untrained = mini_resnet(weights=None)
    untrained.fc = nn.Identity()
    return untrained.eval()


check_untrained(make_untrained())


# %% framework="tensorflow" tags=["solution"]
def make_untrained():
    return MiniResNet(weights=None, include_top=False, pooling="avg")


check_untrained(make_untrained())

# %% framework="pytorch"
torch.manual_seed(SEED)  # the same random weights in each run
untrained = make_untrained()
right[words["untrained"]] = right_answers(lambda images: features_of(images, untrained))

# %% framework="tensorflow"
keras.utils.set_random_seed(SEED)  # the same random weights in each run
untrained = make_untrained()
right[words["untrained"]] = right_answers(lambda images: features_of(images, untrained))

# %%
show_accuracies()

# %% [markdown] lang="en"
# *As above, and with the features of a network that has learnt nothing.*

# %% [markdown] lang="es"
# *Como arriba, y además con las características de una red que no ha aprendido nada.*

# %%
gain = metrics.paired_difference(right[words["untrained"]], right[words["features"]])
claim("learnt_not_built", 100 * gain)

# %% [markdown] lang="en"
# So it is the learning that transfers. But these are drawings, and drawings are easy. On real photos of cats and dogs
# (`DATASET = "cats_vs_dogs"`), ten labels a class give about 69 % with the features of this small network, and 50 %, a
# coin's share, with pixels. With the features of a network that was trained on a million larger photos they give about
# 96 %. You will meet that network in lesson 01.
#
# ## Is everything there?
#
# The next cell looks at this computer: packages, accelerator, folders. Each thing that is missing comes with the line
# that mends it. In a terminal, `tlhelpers doctor` tells all that it found.

# %% [markdown] lang="es"
# Así que lo que se transfiere es lo aprendido. Pero esto son dibujos, y los dibujos son fáciles. Con fotos reales de gatos
# y perros (`DATASET = "cats_vs_dogs"`), diez etiquetas por clase dan cerca del 69 % con las características de esta red
# pequeña, y un 50 % con píxeles, como una moneda al aire. Con las características de una red que se entrenó con un millón
# de fotos más grandes dan cerca del 96 %. Esa red la conocerá en la lección 01.
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
    print(words["nothing_is_missing"])

# %% [markdown] lang="en"
# ## Check yourself

# %% [markdown] lang="es"
# ## Compruebe lo aprendido

# %%
show_quiz("00_start_here/after", LANGUAGE)

# %% [markdown] lang="en"
# ## A map of the course
#
# {map}
#
# Each lesson exists in PyTorch and in TensorFlow, in English and in Spanish. The questions and the experiments are the
# same; the code is that of the framework. So you may switch whenever you like.
#
# ## Further reading
#
# - S. J. Pan and Q. Yang, "A Survey on Transfer Learning", *IEEE Transactions on Knowledge and Data
#   Engineering* 22(10), 2010.
# - J. Yosinski, J. Clune, Y. Bengio and H. Lipson, "How transferable are features in deep neural networks?",
#   *NeurIPS* 2014.

# %% [markdown] lang="es"
# ## Un mapa del curso
#
# {map}
#
# Cada lección existe en PyTorch y en TensorFlow, en español y en inglés. Las preguntas y los experimentos son los mismos;
# el código es el de cada biblioteca. Así que puede pasar de una versión a otra cuando quiera.
#
# ## Para seguir leyendo
#
# - S. J. Pan y Q. Yang, «A Survey on Transfer Learning», *IEEE Transactions on Knowledge and Data Engineering* 22(10),
#   2010.
# - J. Yosinski, J. Clune, Y. Bengio y H. Lipson, «How transferable are features in deep neural networks?»,
#   *NeurIPS* 2014.
