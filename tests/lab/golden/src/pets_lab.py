# %% [markdown] lang="en"
# # Tiny, in {Framework}

# %% [markdown] lang="es"
# # Pequeña, en {Framework}

# %% tags=["parameters"]
LANGUAGE = "en"
SEED = 0


# %% tags=["solution:count"]
def class_balance(labels, num_classes):
    counts = [0] * num_classes
    for label in labels:
        ### BEGIN SOLUTION
        # a longer
        counts[label] += 1
        ### END SOLUTION
    return counts


# %% tags=["check:count"]
assert class_balance([0, 0, 2], 4) == [2, 0, 1, 0]

# %% framework="pytorch" tags=["solution:guess"]
name = "torch"
### BEGIN SOLUTION
guess = name.upper()
### END SOLUTION
after = True

# %% framework="tensorflow" tags=["solution:guess"]
name = "tensorflow"
### BEGIN SOLUTION
guess = name.upper()
### END SOLUTION
after = True

# %% tags=["check:guess", "keep"]
assert guess.isupper()

# %% [markdown] lang="en" tags=["by_hand:why"]
# **Why?**
#
# ### BEGIN SOLUTION
# Because.
# ### END SOLUTION

# %% [markdown] lang="es" tags=["by_hand:why"]
# **¿Por qué?**
#
# ### BEGIN SOLUTION
# Porque sí.
# ### END SOLUTION
