# %% [markdown] lang="en"
# # The ideal cat and the adversarial cat
#
# **{Framework}** · about 60 minutes · before this: [01 Cats and dogs](01_cats_vs_dogs_{framework}.ipynb).
#
# A network says "cat". What does it see as a cat? And how little must change in a picture until it says "dog"? After
# this lesson you can
#
# - draw the image that a network takes for the most typical cat, and say how far to believe it;
# - attack a network within a stated **budget**, and check the attack on the saved file;
# - measure what an attack survives, and whether it works on another network;
# - test a defence fairly: against an attacker who knows it;
# - explain why a change that nobody sees can move a score so far.

# %% [markdown] lang="es"
# # El gato ideal y el gato adversario
#
# **{Framework}** · unos 60 minutos · antes: [01 Gatos y perros](01_cats_vs_dogs_{framework}.ipynb).
#
# Una red dice «gato». ¿Qué es para ella un gato? ¿Y cuánto hay que cambiar una imagen para que diga «perro»? Al
# terminar podrá
#
# - dibujar la imagen que una red considera el gato más típico, y decir hasta qué punto hay que creérselo;
# - atacar una red con un **presupuesto** declarado, y comprobar el ataque en el archivo guardado;
# - medir a qué sobrevive un ataque y si funciona con otra red;
# - poner a prueba una defensa con juego limpio: contra un atacante que la conoce;
# - explicar por qué un cambio que nadie ve puede mover tanto una puntuación.

# %% tags=["parameters"]
LANGUAGE = "en"  # of the figures: "en" or "es"
SEED = 0
DATASET = "drawn_pets"  # cats and dogs; or "cats_vs_dogs", "oxford_pets_species"
BACKBONE = "mini_resnet"  # a network that comes with its classes; or "resnet50", "vgg16", "mobilenet_v2"
OTHER_BACKBONE = "mini_resnet_narrow"  # the second opinion, trained independently
IMAGE_SIZE = 64  # side of the images, in pixels; what both were trained at
IDEAL_CLASS = "tabby"  # any class of the network
SECOND_CLASS = "monarch"
TARGET_CLASS = "golden retriever"
TEST_A_CLASS = 50  # images of each class that are attacked
TRAIN_A_CLASS = 60  # labelled images of each class
ATTACK_STEPS = 10
ADVERSARIAL_ROUNDS = 3  # of attacking the training images anew, then training on them for two epochs

# %% [markdown] lang="en"
# ## What do you expect?

# %% [markdown] lang="es"
# ## ¿Qué espera usted?

# %%
# %matplotlib inline
import time
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from PIL import Image

from tlhelpers import plots
from tlhelpers.legacy import adversarial_plots
from tlhelpers.claims import claim
from tlhelpers.data.datasets import load_splits
from tlhelpers.legacy.distortions import DISTORTIONS, distort, structural_similarity
from tlhelpers.metrics import wilson_interval
from tlhelpers.data.images import prepare
from tlhelpers.quiz import show_quiz

ENGLISH = LANGUAGE == "en"
POINTS = "points" if ENGLISH else "puntos"  # differences of percentages
show_quiz("07_adversarial_cat/before", LANGUAGE)

# %% framework="pytorch"
from tlhelpers.legacy.pytorch import (
    attack,
    build_classifier,
    build_head,
    extract_features,
    fit,
    freeze,
    ideal_image,
    load_backbone,
    load_source_classifier,
    logit_gradient,
    predict_proba,
    set_seed,
    unfreeze,
)

# %% framework="tensorflow"
from tlhelpers.legacy.tensorflow import (
    attack,
    build_classifier,
    build_head,
    extract_features,
    fit,
    freeze,
    ideal_image,
    load_backbone,
    load_source_classifier,
    logit_gradient,
    predict_proba,
    set_seed,
    unfreeze,
)

# %% [markdown] lang="en"
# ## 1. Two networks and a real cat
#
# Both networks come with the classes that they were pretrained on. The second has another width and another training,
# and will be our witness. The cat is Chelsea, from the library scikit-image.

# %% [markdown] lang="es"
# ## 1. Dos redes y una gata de verdad
#
# Las dos redes traen las clases con las que se preentrenaron. La segunda tiene otra anchura y otro entrenamiento, y
# será nuestra testigo. La gata es Chelsea, de la biblioteca scikit-image.

# %%
from skimage.data import chelsea

network = load_source_classifier(BACKBONE)
witness = load_source_classifier(OTHER_BACKBONE)
photo = prepare(chelsea()[100:280, 100:280], network.input_size)[None]


def best_answers(model, images, top=3):
    rows = predict_proba(model, images)
    return ["\n".join(f"{model.class_names[k]} {row[k]:.0%}" for k in np.argsort(-row)[:top]) for row in rows]


print(f"{len(network.class_names)} / {len(witness.class_names)}")
axes = plots.show_images(photo, best_answers(network, photo), columns=1, side=2.4)

# %% [markdown] lang="en"
# *Part of the photo, as large as the network takes it, with its three best answers. This small network is not sure of
# anything here, and on other parts of the same photo it says other things. We take it as it is: before and after
# an attack we measure the same image.*
#
# ## 2. The ideal cat
#
# Training changes the [weights](../../docs/glossary.md#weights) so that the right score grows. Let us turn that round:
# the weights stay, and **the image** changes, so that the score of one class grows. We start from noise and follow the
# [gradient](../../docs/glossary.md#gradient), step by step.
#
# First the plain way: raise the probability of the class, pixel by pixel.

# %% [markdown] lang="es"
# *Un trozo de la foto, al tamaño que toma la red, con sus tres mejores respuestas. Esta red pequeña no está segura de
# nada aquí, y con otros trozos de la misma foto dice otras cosas. La tomamos como es: antes y después de un ataque
# medimos la misma imagen.*
#
# ## 2. El gato ideal
#
# Entrenar es cambiar los [pesos](../../docs/glosario.md#pesos) para que crezca la puntuación correcta. Démosle la
# vuelta: los pesos se quedan quietos y cambia **la imagen**, para que crezca la puntuación de una clase. Partimos de
# ruido y seguimos el [gradiente](../../docs/glosario.md#gradiente), paso a paso.
#
# Primero, la forma más directa: subir la probabilidad de la clase, píxel a píxel.

# %%
plain = dict(total_variation=0, jitter=0, fourier=False)
noise = ideal_image(network, IDEAL_CLASS, objective="probability", **plain, seed=SEED, progress=True)
second_opinion = predict_proba(witness, noise.image[None])[0, noise.target]
print(f"{IDEAL_CLASS}: {noise.probability:.2%}; {OTHER_BACKBONE}: {second_opinion:.2%}")
before, after = ("start", "after {} steps") if ENGLISH else ("comienzo", "tras {} pasos")
titles = [before, after.format(noise.frame_steps[-1])]
axes = plots.show_images(noise.frames[[0, -1]], titles, columns=2, side=2)

# %%
claim(
    "noise_is_a_cat",
    100 * noise.probability,
    en=f"The network takes noise for “{IDEAL_CLASS}”, and is sure of it",
    es=f"La red toma el ruido por «{IDEAL_CLASS}», y está segura",
    at_least=99,
    unit="%",
    language=LANGUAGE,
)
claim(
    "witness_sees_no_cat_in_noise",
    100 * second_opinion,
    en="The second network does not see it",
    es="La segunda red no la ve",
    at_most=10,
    unit="%",
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# *Left the noise that we started from, right what the network is sure about. The eye sees noise in both.*
#
# So a high probability is not yet a picture of a cat. The network was never asked about noise, and there its scores
# mean little. A picture that only one network believes in tells about that network, not about cats.
#
# ### Four remedies
#
# We minimise a [loss](../../docs/glossary.md#loss):
#
# $$L(x) = -s_c(x) + \lambda \, \mathrm{TV}(x)$$
#
# Here $x$ is the image, $c$ the class, and $s_c(x)$ its score. $\mathrm{TV}(x)$ is the **total variation**: the mean
# difference between neighbouring pixels, large for noise. $\lambda$ is its weight.
#
# - [**Logit**](../../docs/glossary.md#logits) instead of probability: the score before the
#   [softmax](../../docs/glossary.md#softmax). A probability also grows when the other classes shrink.
# - **Total variation**: $\lambda > 0$.
# - **Jitter**: before each step the image is shifted by a few pixels at random. What works only at one place is lost.
# - **Fourier**: we change the waves that make up the image, not its pixels, and weigh them as they occur in photos,
#   slow ones most.

# %% [markdown] lang="es"
# *A la izquierda, el ruido del que partimos; a la derecha, aquello de lo que la red está segura. El ojo ve ruido en
# ambos.*
#
# Así que una probabilidad alta todavía no es la imagen de un gato. A la red nunca se le preguntó por ruido, y ahí sus
# puntuaciones significan poco. Una imagen en la que solo cree una red habla de esa red, no de los gatos.
#
# ### Cuatro remedios
#
# Minimizamos una [pérdida](../../docs/glosario.md#función-de-pérdida):
#
# $$L(x) = -s_c(x) + \lambda \, \mathrm{TV}(x)$$
#
# Aquí $x$ es la imagen, $c$ la clase y $s_c(x)$ su puntuación. $\mathrm{TV}(x)$ es la **variación total**: la
# diferencia media entre píxeles vecinos, grande cuando hay ruido. $\lambda$ es su peso.
#
# - [**Logit**](../../docs/glosario.md#logits) en vez de probabilidad: la puntuación antes de la
#   [softmax](../../docs/glosario.md#softmax). Una probabilidad también crece cuando las otras clases menguan.
# - **Variación total**: $\lambda > 0$.
# - **Temblor** (*jitter*): antes de cada paso la imagen se desplaza al azar unos pocos píxeles. Lo que solo funciona en
#   un sitio se pierde.
# - **Fourier**: cambiamos las ondas que componen la imagen, no sus píxeles, y les damos el peso que tienen en las
#   fotos; a las lentas, el mayor.

# %%
settings = {
    "logit": plain,
    "logit, TV": plain | dict(total_variation=50),
    "logit, jitter": plain | dict(jitter=4),
    "logit, Fourier": plain | dict(fourier=True),
    "logit, TV, jitter": dict(fourier=False),
    "logit, TV, jitter, Fourier": {},  # the defaults of ideal_image
}
ideals = {"probability": noise}
for name, options in settings.items():
    ideals[name] = ideal_image(network, IDEAL_CLASS, seed=SEED, **options)

# %%
opinions = {name: predict_proba(witness, ideal.image[None])[0, ideal.target] for name, ideal in ideals.items()}
print(f"{'':28} {BACKBONE:>14} {OTHER_BACKBONE:>20} {'TV':>7}")
for name, ideal in ideals.items():
    last_tv = ideal.history["total_variation"][-1]
    print(f"{name:28} {ideal.probability:14.2%} {opinions[name]:20.2%} {last_tv:7.3f}")
titles = [name.replace(", ", "\n", 1) for name in ideals]
axes = plots.show_images(np.stack([ideal.image for ideal in ideals.values()]), titles, columns=4, side=1.8)

# %% [markdown] lang="en"
# *One remedy after the other. The table gives the probability of the class, first by the network that the image was
# made with, then by the second one, and the total variation (TV) at the end.*

# %% [markdown] lang="es"
# *Un remedio tras otro. La tabla da la probabilidad de la clase, primero según la red con la que se hizo la imagen,
# luego según la segunda, y la variación total (TV) al final.*

# %%
names = ("probability", "logit", "logit, TV", "logit, TV, jitter, Fourier")
shown = {name: ideals[name].history for name in names}
axes = adversarial_plots.plot_loss_terms(shown, language=LANGUAGE)

# %%
ideal = ideals["logit, TV, jitter, Fourier"]
best_opinion = opinions["logit, TV, jitter, Fourier"]
claim(
    "ideal_is_a_cat",
    100 * ideal.probability,
    en="With all remedies the network is still sure",
    es="Con todos los remedios la red sigue segura",
    at_least=99,
    unit="%",
    language=LANGUAGE,
)
claim(
    "witness_agrees",
    best_opinion / second_opinion,
    en="The second network gives the class at least ten times the probability that it gave the noise",
    es="La segunda red da a la clase al menos diez veces la probabilidad que le dio al ruido",
    at_least=10,
    language=LANGUAGE,
)

# %%
logit_score = ideals["logit"].history["score"]
sure_after = int(np.argmax(ideals["logit"].history["probability"] >= 0.9)) + 1
claim(
    "sure_after_few_steps",
    sure_after,
    en="Climbing the logit, the network is sure to 90 % after a few dozen steps",
    es="Subiendo el logit, la red está segura al 90 % tras unas decenas de pasos",
    at_most=60,
    language=LANGUAGE,
)
claim(
    "score_goes_on",
    logit_score[-1] / logit_score[sure_after - 1],
    en="The score goes on growing long after that",
    es="La puntuación sigue creciendo mucho después",
    at_least=1.5,
    language=LANGUAGE,
)

# %%
variation = {name: found.history["total_variation"][-1] for name, found in ideals.items()}
claim(
    "total_variation_calms",
    variation["logit, TV"] / variation["logit"],
    en="The penalty lowers the total variation",
    es="La penalización baja la variación total",
    at_most=0.9,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# *The terms of the loss, each by itself. For "probability" the score is the logarithm of the probability, which ends at
# 0: then there is nothing left to climb. A logit has no such end, so it goes on drawing. (With jitter the curve
# trembles, since every step judges another shift.)*
#
# The picture that has all remedies is no portrait. It is a pattern of what the network looks for: fur, stripes, eyes,
# in more than one place. That a second, independent network sees the class too is the honest score of "ideal".
#
# How does it come into being? And does it work for something that is no cat?

# %% [markdown] lang="es"
# *Los términos de la pérdida, cada uno por su lado. En «probability» la puntuación es el logaritmo de la probabilidad,
# que acaba en 0: entonces ya no queda nada que subir. Un logit no tiene ese final, así que sigue dibujando. (Con el
# temblor la curva tiembla también, porque cada paso juzga otro desplazamiento.)*
#
# La imagen con todos los remedios no es un retrato. Es un muestrario de lo que la red busca: pelo, rayas, ojos, en más
# de un sitio. Que una segunda red, independiente, vea también la clase es la nota honrada de lo «ideal».
#
# ¿Cómo se forma? ¿Y funciona con algo que no sea un gato?

# %%
second = ideal_image(network, SECOND_CLASS, seed=SEED)
strip = np.concatenate([ideal.frames, second.frames])
steps_shown = [*ideal.frame_steps, *second.frame_steps]
axes = plots.show_images(strip, [f"{step}" for step in steps_shown], columns=len(ideal.frames), side=1.2)
second_witness = predict_proba(witness, second.image[None])[0, second.target]
print(f"{SECOND_CLASS}: {second.probability:.2%}; {OTHER_BACKBONE}: {second_witness:.2%}")
claim(
    "not_only_cats",
    100 * min(second.probability, second_witness),
    en=f"It works for “{SECOND_CLASS}” too, and both networks see it",
    es=f"También funciona con «{SECOND_CLASS}», y las dos redes la ven",
    at_least=50,
    unit="%",
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# *A film strip: the number of steps above each picture. First row the cat, second row the other class. The noise at the
# start is faint, since most waves begin small. Look when you first recognise something.*
#
# **Your turn.** Change `SECOND_CLASS` to another name. A wrong name shows you what there is.
#
# ## 3. The adversarial pet
#
# Now the other question. We take a picture that the network gets right and change it **as little as possible**, until
# the answer is wrong. What is little? That has to be said before, as a number: the budget $\varepsilon$.
#
# - $L_\infty$ budget: no value of any pixel changes by more than $\varepsilon$. Pixels of a file have whole levels of
#   0 to 255, so we count in levels: $\varepsilon = 4/255$ is four levels.
# - $L_2$ budget: the root of the sum of all squared changes is at most $\varepsilon$.
#
# **One step** is the fast gradient sign method (FGSM):
#
# $$x' = x + \varepsilon \, \operatorname{sign}\big(\nabla_x \ell(x, y)\big)$$
#
# Here $x$ is the image, $y$ its true class, $\ell$ the loss of the network, and $\nabla_x \ell$ its gradient: how each
# value of the image changes the loss. **Projected gradient descent** (PGD) takes many smaller steps, and after each it
# goes back into the budget. Both can be **targeted**: then the loss of the class that we want goes down.
#
# Let us make Chelsea a dog, a certain dog. What counts is the file: we save the result as PNG, read it back, and ask
# again.

# %% [markdown] lang="es"
# *Una tira de película: sobre cada imagen, el número de pasos. Primera fila, el gato; segunda fila, la otra clase. El
# ruido del comienzo es tenue, porque la mayoría de las ondas empiezan pequeñas. Fíjese en cuándo reconoce algo por
# primera vez.*
#
# **Le toca a usted.** Cambie `SECOND_CLASS` por otro nombre. Si se equivoca de nombre, el error le enseña cuáles hay.
#
# ## 3. La mascota adversaria
#
# Ahora la otra pregunta. Tomamos una imagen que la red acierta y la cambiamos **lo menos posible**, hasta que la
# respuesta sea falsa. ¿Qué es poco? Hay que decirlo antes, con un número: el presupuesto $\varepsilon$.
#
# - Presupuesto $L_\infty$: ningún valor de ningún píxel cambia más de $\varepsilon$. Los píxeles de un archivo tienen
#   niveles enteros de 0 a 255, así que contamos en niveles: $\varepsilon = 4/255$ son cuatro niveles.
# - Presupuesto $L_2$: la raíz de la suma de todos los cambios al cuadrado es, como mucho, $\varepsilon$.
#
# **Un solo paso** es el método del signo del gradiente (FGSM, *fast gradient sign method*):
#
# $$x' = x + \varepsilon \, \operatorname{sign}\big(\nabla_x \ell(x, y)\big)$$
#
# Aquí $x$ es la imagen, $y$ su clase verdadera, $\ell$ la pérdida de la red y $\nabla_x \ell$ su gradiente: cómo cambia
# la pérdida con cada valor de la imagen. El **descenso de gradiente proyectado** (PGD) da muchos pasos más pequeños y,
# tras cada uno, vuelve a entrar en el presupuesto. Ambos pueden ser **dirigidos**: entonces se hace bajar la pérdida de
# la clase que queremos.
#
# Convirtamos a Chelsea en un perro, en uno concreto. Lo que cuenta es el archivo: guardamos el resultado en PNG, lo
# volvemos a leer y preguntamos otra vez.

# %%
chelsea_class = int(predict_proba(network, photo)[0].argmax())
target_class = TARGET_CLASS if network.class_names[chelsea_class] != TARGET_CLASS else SECOND_CLASS
adversarial = attack(network, photo, chelsea_class, targets=target_class, epsilon=4 / 255, steps=40)

file = Path(mkdtemp()) / "adversarial.png"
Image.fromarray(adversarial.images[0]).save(file)
read_back = np.asarray(Image.open(file))[None]
titles = [(best_answers(network, photo, 2)[0], best_answers(network, read_back, 2)[0])]
axes = adversarial_plots.show_attack(adversarial, titles, amplify=20, language=LANGUAGE)

# %%
similarity = structural_similarity(photo, read_back)[0]
file_answer = predict_proba(network, read_back)[0].argmax()
print(f"{255 * adversarial.size[0]:.0f} / 255; SSIM {similarity:.3f}")
claim(
    "file_fools",
    int(file_answer == adversarial.targets[0]),
    en="The saved file is taken for the target class",
    es="El archivo guardado se toma por la clase que se buscaba",
    at_least=1,
    language=LANGUAGE,
)
claim(
    "eye_sees_no_difference",
    similarity,
    en="Original and result are nearly the same to the eye (structural similarity, 1 for equal pictures)",
    es="Original y resultado son casi iguales para el ojo (similitud estructural, 1 si son idénticas)",
    at_least=0.95,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# *Left the original, right the result, both with the network's two best answers. In the middle what was added, made
# stronger by the factor in its title; grey means no change.*
#
# **Structural similarity** (SSIM) compares brightness, contrast and structure in small windows, as the eye does. 1
# means equal.
#
# ### A number for many pictures
#
# One picture proves little. So we train a [head](../../docs/glossary.md#head) for cats and dogs on each of the two
# [backbones](../../docs/glossary.md#backbone), as in lesson 01, and attack all [test
# images](../../docs/glossary.md#test-set).

# %% [markdown] lang="es"
# *A la izquierda el original, a la derecha el resultado, ambos con las dos mejores respuestas de la red. En medio, lo
# que se ha añadido, reforzado por el factor del título; el gris significa «sin cambio».*
#
# La **similitud estructural** (SSIM) compara brillo, contraste y estructura en ventanas pequeñas, como hace el ojo. 1
# significa idénticas.
#
# ### Un número para muchas imágenes
#
# Una imagen demuestra poco. Por eso entrenamos una [cabeza](../../docs/glosario.md#cabeza) de gatos y perros sobre cada
# una de las dos [redes base](../../docs/glosario.md#red-base), como en la lección 01, y atacamos todas las [imágenes de
# prueba](../../docs/glosario.md#conjunto-de-prueba).

# %%
data = load_splits(DATASET, image_size=IMAGE_SIZE, seed=SEED, val_fraction=0.2, progress=False)
test = data.test.per_class(min(TEST_A_CLASS, np.bincount(data.test.labels).min()), seed=SEED)


def pets_classifier(backbone_name):
    backbone = load_backbone(backbone_name, image_size=IMAGE_SIZE)
    train_x = extract_features(backbone, data.train.images, progress=False)
    val_x = extract_features(backbone, data.val.images, progress=False)
    set_seed(SEED)
    head = build_head(backbone.feature_size, len(data.train.class_names))
    fit(
        head, train_x, data.train.labels, val_x, data.val.labels,
        epochs=30, lr=3e-3, weight_decay=1e-2, patience=6, seed=SEED, progress=False,
    )  # fmt: skip
    return build_classifier(backbone, head=head)


# %%
def share_right(model, images):
    right = predict_proba(model, images).argmax(1) == test.labels
    return wilson_interval(float(right.mean()), len(right))


pets = {name: pets_classifier(name) for name in (BACKBONE, OTHER_BACKBONE)}
model = pets[BACKBONE]
for name, classifier in pets.items():
    print(f"{name:20} {share_right(classifier, test.images)}")

# %%
epsilons = [1 / 255, 2 / 255, 4 / 255, 8 / 255]
curves = {"PGD": [], "FGSM": [], "noise" if ENGLISH else "ruido": []}
rng = np.random.default_rng(SEED)
for epsilon in epsilons:
    pgd = attack(model, test.images, test.labels, epsilon=epsilon, steps=ATTACK_STEPS, seed=SEED)
    fgsm = attack(model, test.images, test.labels, epsilon=epsilon, steps=1, random_start=False)
    signs = rng.choice([-1, 1], test.images.shape) * round(255 * epsilon)
    noisy = np.clip(test.images + signs, 0, 255).astype(np.uint8)
    wrong = float((predict_proba(model, noisy).argmax(1) != test.labels).mean())
    rates = (pgd.success_rate, fgsm.success_rate, wilson_interval(wrong, len(test)))
    for name, rate in zip(curves, rates):
        curves[name].append(rate)
axes = adversarial_plots.plot_success_curve(epsilons, curves, language=LANGUAGE)

# %%
pgd_rates, fgsm_rates, noise_rates = ([100 * rate.value for rate in rates] for rates in curves.values())
claim(
    "pgd_at_four_levels",
    pgd_rates[2],
    en="Four levels of 255 are enough to fool the network on nearly every image",
    es="Cuatro niveles de 255 bastan para engañar a la red con casi cualquier imagen",
    at_least=90,
    unit="%",
    language=LANGUAGE,
)
claim(
    "noise_does_not_fool",
    pgd_rates[2] - noise_rates[2],
    en="Random noise of the same size does far less: not the amount matters, the direction does",
    es="El ruido al azar del mismo tamaño hace mucho menos: no importa la cantidad, sino la dirección",
    at_least=50,
    unit=POINTS,
    language=LANGUAGE,
)

# %%
claim(
    "many_steps_beat_one",
    pgd_rates[1] - fgsm_rates[1],
    en="At two levels many small steps fool more often than one step",
    es="Con dos niveles, muchos pasos pequeños engañan más que uno solo",
    at_least=3,
    unit=POINTS,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# *Share of wrong answers over the budget, with 95 % [intervals](../../docs/glossary.md#confidence-interval). (Images
# that were wrong before count as successes, at any budget.) The points are drawn a little apart, so that the intervals
# can be seen.*
#
# The $L_2$ budget allows more at a few places and less elsewhere. Try it:

# %% [markdown] lang="es"
# *Porcentaje de respuestas falsas según el presupuesto, con [intervalos](../../docs/glosario.md#intervalo-de-confianza)
# del 95 %. (Las imágenes que ya estaban mal cuentan como éxitos con cualquier presupuesto.) Los puntos se dibujan algo
# separados para que se vean los intervalos.*
#
# El presupuesto $L_2$ permite más en unos pocos sitios y menos en los demás. Pruébelo:

# %%
in_l2 = attack(model, test.images, test.labels, norm="l2", epsilon=0.5, steps=ATTACK_STEPS, seed=SEED)
largest = np.abs(in_l2.perturbation).max((1, 2, 3))
print(f"L2 ≤ {in_l2.epsilon}: {in_l2.success_rate}; max |δ|: {255 * np.median(largest):.0f} / 255")

# %% [markdown] lang="en"
# ### What survives the way to you?
#
# Pictures are compressed, shrunk and blurred on their way. Does the attack survive that? We send the [attacked
# images](../../docs/glossary.md#adversarial-example) through six treatments and ask again. For comparison: the unharmed
# images through the same.

# %% [markdown] lang="es"
# ### ¿Qué sobrevive al camino?
#
# Por el camino las imágenes se comprimen, se reducen y se desenfocan. ¿Sobrevive el ataque? Pasamos las [imágenes
# atacadas](../../docs/glosario.md#ejemplo-adversario) por seis tratamientos y volvemos a preguntar. Para comparar: las
# imágenes intactas, por los mismos.

# %%
all_steps = dict(steps=ATTACK_STEPS, early_stop=False, seed=SEED)  # also where the network already errs
strong = attack(model, test.images, test.labels, epsilon=4 / 255, **all_steps)
heads = ("attacked, wrong", "unharmed, wrong") if ENGLISH else ("atacadas, mal", "intactas, mal")
print(f"{'':10} {heads[0]:>24} {heads[1]:>24}")
wrong_after, wrong_clean = {}, {}
for name in DISTORTIONS:
    wrong_after[name] = 1 - share_right(model, distort(strong.images, name)).value
    wrong_clean[name] = 1 - share_right(model, distort(test.images, name)).value
    rows = [str(wilson_interval(wrong[name], len(test))) for wrong in (wrong_after, wrong_clean)]
    print(f"{name:10} {rows[0]:>24} {rows[1]:>24}")

# %%
claim(
    "png_changes_nothing",
    100 * abs(wrong_after["PNG"] - strong.success.mean()),
    en="PNG loses nothing, so the attack survives it unchanged",
    es="PNG no pierde nada, así que el ataque sobrevive intacto",
    at_most=0,
    unit=POINTS,
    language=LANGUAGE,
)
claim(
    "blur_weakens",
    100 * (wrong_after["PNG"] - wrong_after["blur"]),
    en="A blur of one pixel takes away much of the attack",
    es="Un desenfoque de un píxel quita buena parte del ataque",
    at_least=15,
    unit=POINTS,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# Remember the blur. It looks like a defence; we come back to it.
#
# ### Does it work on another network?
#
# Attackers often do not have the network that they want to fool. They attack their own and hope. Below each network is
# attacked by itself, and both judge the result. The budget is larger here: 8 levels.

# %% [markdown] lang="es"
# Acuérdese del desenfoque. Parece una defensa; ya volveremos a él.
#
# ### ¿Funciona con otra red?
#
# A menudo quien ataca no tiene la red que quiere engañar. Ataca la suya y confía. Abajo se ataca cada red por separado
# y ambas juzgan el resultado. El presupuesto aquí es mayor: 8 niveles.

# %%
names = list(pets)
transfer = np.zeros((len(names), len(names)))
for row, attacked in enumerate(names):
    found = attack(pets[attacked], test.images, test.labels, epsilon=8 / 255, **all_steps)
    for column, judge in enumerate(names):
        transfer[row, column] = 1 - share_right(pets[judge], found.images).value
axes = adversarial_plots.plot_transfer_matrix(transfer, names, language=LANGUAGE)

# %%
own, foreign = transfer.diagonal().mean(), transfer[~np.eye(len(names), dtype=bool)].mean()
clean_wrong = np.mean([1 - share_right(classifier, test.images).value for classifier in pets.values()])
claim(
    "attacks_transfer",
    100 * (foreign - clean_wrong),
    en="Attacks made for one network raise the errors of the other",
    es="Los ataques hechos para una red aumentan los errores de la otra",
    at_least=10,
    unit=POINTS,
    language=LANGUAGE,
)
claim(
    "own_network_is_easier",
    100 * (own - foreign),
    en="The attacked network itself is fooled more often than the other",
    es="A la propia red atacada se la engaña más veces que a la otra",
    at_least=10,
    unit=POINTS,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# *Rows: which network was attacked. Columns: which one judges. On the diagonal the attacker had the network itself.*
#
# ## 4. Can one defend oneself?
#
# ### Blur before looking
#
# Idea: blur every image before the network sees it. Against the attack above it seems to help. But is that fair? The
# attacker did not know of the blur. One who knows attacks **the blur and the network together**. This is called an
# **adaptive attack**.
#
# We test two defences in both ways: the blur, and an [ensemble](../../docs/glossary.md#ensemble), the mean of two
# networks.

# %% [markdown] lang="es"
# *Filas: qué red se atacó. Columnas: cuál juzga. En la diagonal, quien ataca tenía la propia red.*
#
# ## 4. ¿Es posible defenderse?
#
# ### Desenfocar antes de mirar
#
# Idea: desenfocar cada imagen antes de que la vea la red. Contra el ataque de arriba parece ayudar. Pero ¿es juego
# limpio? El atacante no sabía del desenfoque. Quien lo sabe ataca **el desenfoque y la red juntos**. Eso se llama un
# **ataque adaptativo**.
#
# Probamos de ambas maneras dos defensas: el desenfoque y un [conjunto](../../docs/glosario.md#conjunto-de-modelos)
# (*ensemble*), la media de dos redes.

# %% framework="pytorch"
import torch
from torchvision.transforms.functional import gaussian_blur


class Defence(torch.nn.Module):
    """A classifier behind a blur (`sigma` in pixels, 0 for none), or the mean of several."""

    def __init__(self, classifiers, sigma=0.0):
        super().__init__()
        self.classifiers, self.sigma = torch.nn.ModuleList(classifiers), sigma
        first = classifiers[0]
        self.input_size, self.num_classes, self.precision = first.input_size, first.num_classes, first.precision

    def forward(self, images):
        if self.sigma:
            images = gaussian_blur(images.float().permute(0, 3, 1, 2), 5, self.sigma).permute(0, 2, 3, 1)
        return torch.stack([classifier(images) for classifier in self.classifiers]).mean(0)


# %% framework="tensorflow"
import keras
import tensorflow as tf


class Defence(keras.Model):
    """A classifier behind a blur (`sigma` in pixels, 0 for none), or the mean of several."""

    def __init__(self, classifiers, sigma=0.0):
        super().__init__()
        self.classifiers, self.sigma = classifiers, sigma
        first = classifiers[0]
        self.input_size, self.num_classes, self.precision = first.input_size, first.num_classes, first.precision

    def call(self, images, training=False):
        images = tf.cast(images, tf.float32)
        if self.sigma:
            line = tf.exp(-(tf.range(-2.0, 3.0) ** 2) / (2 * self.sigma**2))
            square = tf.tensordot(line, line, 0) / tf.reduce_sum(line) ** 2
            padded = tf.pad(images, [[0, 0], [2, 2], [2, 2], [0, 0]], "REFLECT")
            kernel = tf.tile(square[:, :, None, None], [1, 1, 3, 1])
            images = tf.nn.depthwise_conv2d(padded, kernel, [1] * 4, "VALID")
        answers = [classifier(images, training=training) for classifier in self.classifiers]
        return tf.add_n(answers) / len(answers)


# %%
defences = {
    ("blur" if ENGLISH else "desenfoque"): Defence([model], sigma=1.0),
    ("ensemble" if ENGLISH else "conjunto"): Defence(list(pets.values())),
}
heads = ("unattacked", "unaware", "adaptive") if ENGLISH else ("sin ataque", "sin saberlo", "adaptativo")
print(f"{'':12}" + "".join(f"{head:>24}" for head in heads))
fooled_share = []  # unattacked, unaware, adaptive; one row a defence
for name, defended in defences.items():
    adaptive = attack(defended, test.images, test.labels, epsilon=4 / 255, steps=ATTACK_STEPS, seed=SEED)
    row = [1 - share_right(defended, images).value for images in (test.images, strong.images, adaptive.images)]
    fooled_share.append(row)
    print(f"{name:12}" + "".join(f"{wilson_interval(share, len(test))!s:>24}" for share in row))

# %%
blur_row, ensemble_row = 100 * np.array(fooled_share)
claim(
    "knowing_the_blur_helps",
    blur_row[2] - blur_row[1],
    en="The attacker who knows of the blur fools the network more often",
    es="Quien sabe del desenfoque engaña a la red más veces",
    at_least=15,
    unit=POINTS,
    language=LANGUAGE,
)
claim(
    "defences_fall",
    min(blur_row[2], ensemble_row[2]),
    en="Once known, neither blur nor ensemble saves most images",
    es="Una vez conocidos, ni el desenfoque ni el conjunto salvan la mayoría de las imágenes",
    at_least=50,
    unit="%",
    language=LANGUAGE,
)

# %%
claim(
    "ensemble_follows_the_louder",
    ensemble_row[1],
    en="The ensemble falls even to an attack on one of its two networks",
    es="El conjunto cae incluso ante un ataque a una sola de sus dos redes",
    at_least=50,
    unit="%",
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# *Share of wrong answers: without an attack; with the attack on the first network, which knows nothing of the defence;
# and with an attack on network and defence together. Intervals of 95 %.*
#
# So a defence that was tested only against an attack that did not know it was not tested. An ensemble is no proof
# either. It is one more network, with a gradient of its own. And a mean follows the louder: an attack that makes one of
# the networks very sure carries the other along.
#
# ### Train on attacked images
#
# Adversarial training (Madry et al., 2018) shows the network attacked images while it learns, with their right
# [labels](../../docs/glossary.md#label). We try it twice: training the head alone, and the whole network. As a control,
# the whole network is trained for as long on ordinary images.

# %% [markdown] lang="es"
# *Porcentaje de respuestas falsas: sin ataque; con el ataque a la primera red, que no sabe nada de la defensa; y con un
# ataque a la red y la defensa juntas. Intervalos del 95 %.*
#
# Así que una defensa que solo se probó contra un ataque que no la conocía no se ha probado. Un conjunto tampoco
# demuestra nada. Es una red más, con su propio gradiente. Y una media sigue a quien más grita: un ataque que deja a una
# de las redes muy segura arrastra a la otra.
#
# ### Entrenar con imágenes atacadas
#
# El entrenamiento adversario (Madry et al., 2018) enseña a la red imágenes atacadas mientras aprende, con sus
# [etiquetas](../../docs/glosario.md#etiqueta) correctas. Lo probamos dos veces: entrenando solo la cabeza y entrenando
# la red entera. Como control, la red entera se entrena el mismo tiempo con imágenes corrientes.

# %%
few = data.train.per_class(min(TRAIN_A_CLASS, np.bincount(data.train.labels).min()), seed=SEED)


def train(classifier, whole_network, adversarial_training):
    (unfreeze if whole_network else freeze)(classifier)
    started = time.perf_counter()
    for turn in range(ADVERSARIAL_ROUNDS):
        x = few.images
        if adversarial_training:  # attacks on the network as it is now
            options = dict(epsilon=4 / 255, steps=3, early_stop=False, seed=turn)
            x = attack(classifier, x, few.labels, **options).images
        x, y = np.concatenate([few.images, x]), np.concatenate([few.labels] * 2)
        fit(classifier, x, y, epochs=2, lr=1e-3, seed=turn, progress=False)
    freeze(classifier)
    return time.perf_counter() - started


# %%
words = {
    "none": ("no further training", "sin más entrenamiento"),
    "control": ("network, ordinary images", "red, imágenes corrientes"),
    "head": ("head, attacked images", "cabeza, imágenes atacadas"),
    "network": ("network, attacked images", "red, imágenes atacadas"),
}
words = {key: pair[0 if ENGLISH else 1] for key, pair in words.items()}
trained, seconds = {"none": model}, {"none": 0.0}
for key in ("control", "head", "network"):
    trained[key] = pets_classifier(BACKBONE)
    seconds[key] = train(trained[key], whole_network=key != "head", adversarial_training=key != "control")

# %%
clean = {key: share_right(classifier, test.images) for key, classifier in trained.items()}
robust = {}
for key, classifier in trained.items():
    found = attack(classifier, test.images, test.labels, epsilon=4 / 255, steps=ATTACK_STEPS, seed=SEED)
    robust[key] = wilson_interval(1 - found.success_rate.value, len(test))
heads = ("right, unattacked", "right, attacked") if ENGLISH else ("acierta sin ataque", "acierta atacada")
print(f"{'':28}{heads[0]:>24}{heads[1]:>24}{'s':>6}")
for key, name in words.items():
    print(f"{name:28}{clean[key]!s:>24}{robust[key]!s:>24}{seconds[key]:6.0f}")
axes = plots.plot_estimates({name: robust[key] for key, name in words.items()}, language=LANGUAGE)

# %%
claim(
    "adversarial_training_helps",
    100 * (robust["network"].value - robust["control"].value),
    en="Adversarial training of the network helps more than as many ordinary epochs",
    es="El entrenamiento adversario de la red ayuda más que otras tantas épocas corrientes",
    at_least=10,
    unit=POINTS,
    language=LANGUAGE,
)
claim(
    "head_alone_does_not",
    100 * (robust["head"].value - robust["none"].value),
    en="Training the head alone helps little: the attack goes through the backbone",
    es="Entrenar solo la cabeza ayuda poco: el ataque pasa por la red base",
    at_most=15,
    unit=POINTS,
    language=LANGUAGE,
)

# %%
claim(
    "no_loss_seen_on_ordinary_images",
    100 * (clean["network"].value - clean["none"].value),
    en="On ordinary drawings the adversarially trained network loses at most a few points",
    es="Con dibujos corrientes, la red con entrenamiento adversario pierde como mucho unos puntos",
    at_least=-8,
    unit=POINTS,
    language=LANGUAGE,
)
claim(
    "it_costs_time",
    seconds["network"] / seconds["control"],
    en="It costs more time than ordinary training",
    es="Cuesta más tiempo que el entrenamiento corriente",
    at_least=1.05,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# *Share of right answers under attack, four levels, with 95 % intervals; one training run each. The table above has the
# share without an attack, and the seconds.*
#
# Textbooks say that adversarial training costs [accuracy](../../docs/glossary.md#accuracy) on ordinary images. Look at
# the first column: with these two classes of drawings hardly anything is lost, if anything at all. With photos of many
# classes, published models lose a lot; RobustBench, below, lists both numbers for each.
#
# Robust against **this** attack within **this** budget: no more has been shown. Where the field stands is kept by
# [RobustBench](https://robustbench.github.io), which attacks each defence with several attacks that adapt to it.
#
# ## 5. Why does it work?
#
# How can a change that nobody sees move a score so far? Goodfellow, Shlens and Szegedy (2015) gave a simple answer.
# Near an image $x$, the score $s$ is almost a straight line:
#
# $$s(x + \delta) \approx s(x) + \sum_{i=1}^{n} g_i \, \delta_i$$
#
# Here $\delta_i$ is the change of value $i$, $g_i$ the gradient there, and $n$ the number of values: pixels times three
# colours. If each $\delta_i$ is $\varepsilon$ with the sign of $g_i$, nothing cancels, and the score moves by
# $\varepsilon \sum_i |g_i|$. Each part is tiny, but there are very many. With random signs they cancel.
#
# Is the score really so straight? We measure: how far does the line predict, how far does the network go?

# %% [markdown] lang="es"
# *Porcentaje de aciertos bajo ataque, cuatro niveles, con intervalos del 95 %; un entrenamiento de cada tipo. La tabla
# de arriba da el porcentaje sin ataque y los segundos.*
#
# Los libros dicen que el entrenamiento adversario cuesta [exactitud](../../docs/glosario.md#exactitud) con imágenes
# corrientes. Mire la primera columna: con estas dos clases de dibujos apenas se pierde nada, si es que se pierde. Con
# fotos de muchas clases, los modelos publicados pierden mucho; RobustBench, más abajo, da los dos números de cada uno.
#
# Robusta contra **este** ataque con **este** presupuesto: no se ha demostrado más. El estado de la cuestión lo recoge
# [RobustBench](https://robustbench.github.io), que ataca cada defensa con varios ataques que se adaptan a ella.
#
# ## 5. ¿Por qué funciona?
#
# ¿Cómo puede un cambio que nadie ve mover tanto una puntuación? Goodfellow, Shlens y Szegedy (2015) dieron una
# respuesta sencilla. Cerca de una imagen $x$, la puntuación $s$ es casi una línea recta:
#
# $$s(x + \delta) \approx s(x) + \sum_{i=1}^{n} g_i \, \delta_i$$
#
# Aquí $\delta_i$ es el cambio del valor $i$, $g_i$ el gradiente en él y $n$ el número de valores: píxeles por tres
# colores. Si cada $\delta_i$ es $\varepsilon$ con el signo de $g_i$, nada se compensa y la puntuación se mueve
# $\varepsilon \sum_i |g_i|$. Cada parte es minúscula, pero hay muchísimas. Con signos al azar se compensan.
#
# ¿De verdad es tan recta la puntuación? Lo medimos: ¿hasta dónde predice la recta y hasta dónde llega la red?

# %%
x = test.images.astype(np.float32) / 255
# towards the wrong class
slope = logit_gradient(model, x, 1 - test.labels) - logit_gradient(model, x, test.labels)
levels = [0.25, 0.5, 1, 2, 4]


def wrong_minus_right(images):  # the difference of the two logits
    p = predict_proba(model, np.clip(images, 0, 1)).astype(float)
    rows = np.arange(len(p))
    return np.log(p[rows, 1 - test.labels]) - np.log(p[rows, test.labels])


start = wrong_minus_right(x)
signs = {"line": np.sign(slope), "random": rng.choice([-1.0, 1.0], x.shape).astype(np.float32)}
moved = {
    key: np.array([np.median(wrong_minus_right(x + level / 255 * sign) - start) for level in levels])
    for key, sign in signs.items()
}
predicted = np.array([np.median(level / 255 * np.abs(slope).sum((1, 2, 3))) for level in levels])

# %%
ax = plots.new_axes(None)
labels = ("the straight line", "the network", "the network, random signs")
labels = labels if ENGLISH else ("la recta", "la red", "la red, signos al azar")
for k, (values, label) in enumerate(zip((predicted, moved["line"], moved["random"]), labels)):
    ax.plot(levels, values, plots.LINES[k], color=plots.COLOURS[k], marker=plots.MARKERS[k], label=label)
ax.set_xlabel("ε (levels of 255)" if ENGLISH else "ε (niveles de 255)")
ax.set_ylabel("change of the score" if ENGLISH else "cambio de la puntuación")
plots.tidy(ax)
legend = ax.legend(frameon=False)

# %%
claim(
    "score_is_nearly_straight",
    100 * abs(moved["line"][0] / predicted[0] - 1),
    en="For a quarter of a level the straight line predicts the network's change well",
    es="Para un cuarto de nivel la recta predice bien el cambio de la red",
    at_most=15,
    unit="%",
    language=LANGUAGE,
)
claim(
    "line_bends",
    moved["line"][-1] / predicted[-1],
    en="For four levels the network falls short of the line: it is straight only nearby",
    es="Para cuatro niveles la red se queda por debajo de la recta: solo es recta de cerca",
    at_most=0.9,
    language=LANGUAGE,
)

# %%
claim(
    "random_signs_cancel",
    abs(moved["random"][2]) / moved["line"][2],
    en="With random signs of the same size the score hardly moves",
    es="Con signos al azar del mismo tamaño la puntuación apenas se mueve",
    at_most=0.2,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# *Median over the test images of how far the score of the wrong class, less that of the right one, has moved.*
#
# ## 6. What it is good for, and what not
#
# Attacks show what a network leans on, and where a product must not rely on it alone. That is why they are taught. To
# disturb somebody's system without being asked is a wrong, and in many countries a crime. Find weaknesses in your own
# models, or in those whose owners have agreed; report what you find to those who can mend it, before you tell others.
#
# A picture that fools this small network says nothing about a car or a hospital. Do not make it larger than it is,
# nor smaller.
#
# **Your turn.** How small can the budget be? Put in a whole number of levels for which at least half of the test images
# are fooled, but with one level less fewer than half are. (If one level is enough, the answer is 1.)

# %% [markdown] lang="es"
# *Mediana, sobre las imágenes de prueba, de cuánto se ha movido la puntuación de la clase falsa menos la de la
# correcta.*
#
# ## 6. Para qué sirve y para qué no
#
# Los ataques muestran en qué se apoya una red y dónde un producto no debe fiarse solo de ella. Por eso se enseñan.
# Perturbar el sistema de alguien sin que lo pida está mal y en muchos países es delito. Busque debilidades en sus
# propios modelos, o en los de quienes estén de acuerdo; comunique lo que encuentre a quien pueda arreglarlo, antes de
# contárselo a otros.
#
# Una imagen que engaña a esta red pequeña no dice nada de un coche ni de un hospital. No lo haga más grande de lo que
# es; tampoco más pequeño.
#
# **Le toca a usted.** ¿Hasta dónde se puede reducir el presupuesto? Escriba un número entero de niveles con el que la
# red falle en al menos la mitad de las imágenes de prueba, mientras que con un nivel menos no se llega a la mitad. (Si
# basta un nivel, la respuesta es 1.)

# %%
from functools import cache


@cache  # each level is attacked once
def fooled(level):
    if level < 1:
        return 0.0
    found = attack(model, test.images, test.labels, epsilon=level / 255, steps=ATTACK_STEPS, seed=SEED)
    return found.success_rate.value


# %%
my_levels = None  # your answer: 1, 2, 3, ...


def check_levels(levels):
    if levels is None:
        print("Put in a number and run the cell again." if ENGLISH
              else "Escriba un número y ejecute la celda otra vez.")  # fmt: skip
    elif fooled(levels) >= 0.5 > fooled(levels - 1):
        print("✔ Yes." if ENGLISH else "✔ Sí.")
        return True
    else:
        print(f"✘ {levels}: {fooled(levels):.0%}; {levels - 1}: {fooled(levels - 1):.0%}")
    return False


correct = check_levels(my_levels)

# %% tags=["solution"]
my_levels = next(level for level in range(1, 256) if fooled(level) >= 0.5)
print(f"{my_levels}: {fooled(my_levels):.0%}; {my_levels - 1}: {fooled(my_levels - 1):.0%}")
assert check_levels(my_levels)
assert not check_levels(my_levels + 1)  # enough, but not the smallest

# %% [markdown] lang="en"
# A second one, without a check: attack `trained["network"]` with eight levels instead of four, and with twenty steps
# instead of ten. Which of the two does it withstand less?
#
# ## What was learnt

# %% [markdown] lang="es"
# Otro, sin comprobación: ataque `trained["network"]` con ocho niveles en vez de cuatro, y con veinte pasos en vez de
# diez. ¿A cuál de los dos resiste peor?
#
# ## Qué hemos aprendido

# %% [markdown] lang="en"
# - A network can be sure about noise. A second, independent network says whether an "ideal" picture is more than that.
# - A budget, the same image before and after, and the saved file: without these three an attack proves nothing.
# - A few levels of 255, in the right direction, are enough. Random noise of the same size is not.
# - Attacks survive some treatments and not others, and part of them works on another network.
# - A defence is tested against an attacker who knows it. Blur and ensemble did not hold; adversarial training of the
#   network helped, within its budget.
# - The score is nearly a straight line nearby, and many tiny changes add up.

# %% [markdown] lang="es"
# - Una red puede estar segura ante puro ruido. Una segunda red, independiente, dice si una imagen «ideal» es algo más.
# - Un presupuesto, la misma imagen antes y después, y el archivo guardado: sin estas tres cosas un ataque no demuestra
#   nada.
# - Bastan unos pocos niveles de 255 en la dirección adecuada. El ruido al azar del mismo tamaño no basta.
# - Los ataques sobreviven a unos tratamientos y a otros no, y en parte funcionan con otra red.
# - Una defensa se prueba contra quien la conoce. El desenfoque y el conjunto no aguantaron; el entrenamiento adversario
#   de la red ayudó, dentro de su presupuesto.
# - De cerca la puntuación es casi una recta, y muchos cambios minúsculos suman.

# %%
show_quiz("07_adversarial_cat/after", LANGUAGE)

# %% [markdown] lang="en"
# ## Further reading
#
# - C. Szegedy et al., "Intriguing properties of neural networks", *ICLR* 2014.
# - I. J. Goodfellow, J. Shlens and C. Szegedy, "Explaining and harnessing adversarial examples", *ICLR* 2015.
# - A. Madry, A. Makelov, L. Schmidt, D. Tsipras and A. Vladu, "Towards deep learning models resistant to adversarial
#   attacks", *ICLR* 2018.
# - C. Olah, A. Mordvintsev and L. Schubert, "Feature visualization", *Distill* 2017.
# - F. Tramèr, N. Carlini, W. Brendel and A. Madry, "On adaptive attacks to adversarial example defenses",
#   *NeurIPS* 2020.
# - F. Croce et al., "RobustBench: a standardized adversarial robustness benchmark",
#   *NeurIPS Datasets and Benchmarks* 2021.

# %% [markdown] lang="es"
# ## Para seguir leyendo
#
# - C. Szegedy et al., «Intriguing properties of neural networks», *ICLR* 2014.
# - I. J. Goodfellow, J. Shlens y C. Szegedy, «Explaining and harnessing adversarial examples», *ICLR* 2015.
# - A. Madry, A. Makelov, L. Schmidt, D. Tsipras y A. Vladu, «Towards deep learning models resistant to adversarial
#   attacks», *ICLR* 2018.
# - C. Olah, A. Mordvintsev y L. Schubert, «Feature visualization», *Distill* 2017.
# - F. Tramèr, N. Carlini, W. Brendel y A. Madry, «On adaptive attacks to adversarial example defenses», *NeurIPS* 2020.
# - F. Croce et al., «RobustBench: a standardized adversarial robustness benchmark»,
#   *NeurIPS Datasets and Benchmarks* 2021.
