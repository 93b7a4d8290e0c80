"""A guestbook: entries live in PostgreSQL, the visit counter in Redis."""

import os
import socket

import flask
import psycopg2
import redis

app = flask.Flask(__name__)
cache = redis.Redis.from_url(os.environ["REDIS_URL"])

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Guestbook</title>
<style>
  body { font: 17px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; color: #1c2733 }
  form { display: flex; gap: .5rem; margin: 1.5rem 0 }
  input { flex: 1; font: inherit; padding: .4rem .6rem; border: 1px solid #b8c4d0; border-radius: 6px }
  button { font: inherit; padding: .4rem 1rem; border: 0; border-radius: 6px; background: #0b6bcb; color: #fff }
  li { margin: .3rem 0 } small { color: #6a7885 }
</style>
<h1>Guestbook</h1>
<p>You are visit number <b>{{ visits }}</b>.</p>
<form method="post" action="/entries"><input name="text" required maxlength="200" placeholder="Write something">
<button>Sign</button></form>
<ul>{% for text, at in entries %}<li>{{ text }} <small>{{ at.strftime("%Y-%m-%d %H:%M") }}</small></li>{% endfor %}</ul>
<p><small>nginx &rarr; application ({{ host }}) &rarr; {{ database }} and Redis {{ cache_version }}</small></p>
</html>
"""


def database():
    connection = psycopg2.connect(os.environ["DATABASE_URL"], connect_timeout=3)
    connection.autocommit = True
    return connection


@app.get("/")
def page():
    connection = database()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT text, written FROM entry ORDER BY id DESC LIMIT 20")
            entries = cursor.fetchall()
            cursor.execute("SHOW server_version")
            version = "PostgreSQL " + cursor.fetchone()[0].split()[0]
    finally:
        connection.close()
    return flask.render_template_string(
        PAGE, visits=cache.incr("visits"), entries=entries, host=socket.gethostname(), database=version,
        cache_version=cache.info("server")["redis_version"])


@app.post("/entries")
def sign():
    text = flask.request.form.get("text", "").strip()[:200]
    if text:
        connection = database()
        try:
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO entry(text) VALUES (%s)", (text,))
        finally:
            connection.close()
    return flask.redirect("/", code=303)


@app.get("/healthz")
def healthz():
    database().close()
    cache.ping()
    return "ok\n"
