"""What a model is at run time: bundle, registry folder, `load_model`, ensembles."""
