"""The dashboard: pages that show sweeps while they run and afterwards, to be looked at and never to be written to.

`board` finds and reads sweeps, `payload` puts what a view answers into JSON, `app` is the HTTP application and `access`
decides who may ask it. What a view says is `api.views`; what a page looks like is in the folder `dashboards/web`, plain
ES modules and CSS. May not enter: torch, statistics, a drawing. To add a view: a line in `api.views`.
"""
