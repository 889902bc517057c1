"""The module that shares weights between architectures, and the choices it is made of."""
